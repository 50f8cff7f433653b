import type { ByteChannel } from '@streamspace/vnc-tunnel';
import type { StreamViewer } from '../platform-fixture.js';
import type { Kit } from './kit.js';
import { bounded, failure, inWords } from './waiting.js';

/** A viewer's connection to a session. */
export class KitStream {
  private constructor(
    readonly channel: ByteChannel,
    private readonly viewer: StreamViewer,
    private readonly kit: Kit,
  ) {}

  static async over(channel: ByteChannel, kit: Kit): Promise<KitStream> {
    const viewer = await bounded(
      'the greeting of a viewer on a new stream (of RFB, or of the fixture)',
      kit.limits.streamMs,
      async () => {
        try {
          return await kit.viewer(channel);
        } catch (error) {
          throw failure(`a new stream must take a viewer; it failed with ${inWords(error)}`, error);
        }
      },
    );
    const stream = new KitStream(channel, viewer, kit);
    await stream.exchange('a new stream');
    return stream;
  }

  /** @param which names the stream, as in `the stream of the second viewer` */
  async exchange(which: string): Promise<void> {
    await bounded(`an exchange over ${which}`, this.kit.limits.streamMs, async () => {
      try {
        await this.viewer.exchange();
      } catch (error) {
        throw failure(`${which} must carry bytes; it failed with ${inWords(error)}`, error);
      }
    });
  }

  /** @returns whether the fixture's viewer can do it */
  async exchangeMuch(): Promise<boolean> {
    if (!this.viewer.exchangeMuch) return false;
    await bounded('an exchange of more than 64 KiB', this.kit.limits.callMs, async () => {
      try {
        await this.viewer.exchangeMuch!();
      } catch (error) {
        throw failure(`a stream must carry chunks of any size; it failed with ${inWords(error)}`, error);
      }
    });
    return true;
  }

  /** Must end by itself: reads come to an end, and the channel is closed. */
  async ends(when: string): Promise<void> {
    const { channel } = this;
    await bounded(`the end of a stream ${when}`, this.kit.limits.streamMs, async () => {
      const drain = async (): Promise<void> => {
        while (await channel.read());
        await channel.end();
      };
      await drain().catch(() => undefined);
      await channel.closed;
    });
  }

  async abort(): Promise<void> {
    this.channel.abort(new Error('the viewer is gone'));
    await bounded('an aborted stream to be closed', this.kit.limits.streamMs, () => this.channel.closed);
  }

  /** Ends in order, as a viewer that says goodbye. */
  async end(): Promise<void> {
    await bounded('the end of the direction to the desktop', this.kit.limits.streamMs, () =>
      this.channel.end().catch(() => undefined),
    );
    await this.ends('whose viewer has ended it');
  }
}
