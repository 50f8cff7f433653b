import { CLOSE } from '@streamspace/protocol';
import type { ByteChannel } from '@streamspace/vnc-tunnel';
import { webSocketChannel } from '@streamspace/vnc-tunnel/node';
import type { WebSocket } from 'ws';
import { keepAlive, type KeepAliveOptions } from './keep-alive.js';
import { closeWith, inWords, VIEWER_CLOSE, ViewerEnd, viewerEndOf } from './viewer-end.js';

/** How an error of `ws` closed the connection: it sends the code alone, before it tells. */
const OF_SOCKET: Readonly<Record<string, { code: number; sentence: string }>> = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: {
    code: 1009,
    sentence: 'A message of the viewer was larger than 1 MiB.',
  },
  WS_ERR_INVALID_UTF8: { code: 1007, sentence: 'A text of the viewer was not UTF-8.' },
};
const NO_WEB_SOCKET = { code: 1002, sentence: 'The viewer did not keep to the WebSocket protocol.' };

function endOfSocket(cause: Error): ViewerEnd {
  const { code, sentence } = OF_SOCKET[String((cause as { code?: unknown }).code)] ?? NO_WEB_SOCKET;
  return new ViewerEnd(code, sentence, { cause });
}

/**
 * The WebSocket of one viewer.
 *
 * States: open → ended (`signal` has aborted, with the {@link ViewerEnd} that the viewer is told; the first one counts)
 * → gone (the socket is down).
 */
export class ViewerConnection {
  readonly channel: ByteChannel;
  /** Settles when the socket is down. Never rejects. */
  readonly gone: Promise<unknown>;
  readonly #stop = new AbortController();
  #passed: () => number = () => 0;

  constructor(ws: WebSocket, options: KeepAliveOptions) {
    // Before the channel's own listeners, so that the viewer is told in these words, and operators the same.
    ws.on('message', (_data, isBinary) => {
      if (!isBinary)
        this.end(
          new ViewerEnd(
            VIEWER_CLOSE.unsupportedData,
            'A viewer speaks RFB in binary messages, and a text message came.',
          ),
        );
    });
    ws.on('error', (error) => this.end(endOfSocket(error)));
    ws.once('close', (code) => {
      this.#stop.abort(
        code === VIEWER_CLOSE.noCloseFrame
          ? new ViewerEnd(code, 'The connection to the viewer was lost.')
          : new ViewerEnd(CLOSE.normal, 'The viewer has left.'),
      );
    });
    this.channel = webSocketChannel(ws, { abortWith: closeWith });
    const stopPings = keepAlive(ws, options, {
      passed: () => this.#passed(),
      onDead: () => {
        this.#stop.abort(new ViewerEnd(VIEWER_CLOSE.noCloseFrame, 'The viewer did not answer.'));
        ws.terminate();
      },
      onStalled: () => {
        const sentence = `The desktop took nothing from you for ${inWords(options.stalledMs)}.`;
        this.end(new ViewerEnd(CLOSE.upstreamUnavailable, sentence));
      },
    });
    this.gone = this.channel.closed.then(stopPings);
  }

  /** Aborts when the viewer is to end, or has; the reason is a {@link ViewerEnd}. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Where the bytes that pass are counted. */
  countWith(passed: () => number): void {
    this.#passed = passed;
  }

  /** Closes with what the error means to a viewer. Without effect once it has ended. */
  end(error: unknown): void {
    const end = viewerEndOf(error);
    this.#stop.abort(end);
    this.channel.abort(end);
  }
}
