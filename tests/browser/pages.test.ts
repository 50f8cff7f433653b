import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { eventually } from './support/eventually.js';
import { hasBrowser, openBrowser, type TestBrowser } from './support/browser.js';
import { buildWeb, type BuiltPage } from './support/build-web.js';
import { coloursShown, desktopHasKeyboard, fingerprint } from './support/canvas.js';
import { FakeControlPlane } from './support/fake-control-plane.js';

const PASSWORD = 'correct horse';

/** Sessions in the list whose state a button covers. */
const COVERED_BADGES = `[...document.querySelectorAll('.row')].filter((row) => {
  const badge = row.querySelector('.badge').getBoundingClientRect();
  return [...row.querySelectorAll('.row-actions .button')].some((button) => {
    const one = button.getBoundingClientRect();
    return one.left < badge.right && one.right > badge.left && one.top < badge.bottom && one.bottom > badge.top;
  });
}).map((row) => row.dataset.session)`;

describe.runIf(hasBrowser())('pages', () => {
  let web: BuiltPage;
  let fake: FakeControlPlane;
  let browser: TestBrowser;
  let page: Page;

  beforeAll(async () => {
    web = await buildWeb();
  });
  afterAll(async () => {
    await web[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    fake = await FakeControlPlane.start(web.folder);
    browser = await openBrowser(fake.url);
    page = browser.page;
  });
  afterEach(async () => {
    await browser[Symbol.asyncDispose]();
    await fake[Symbol.asyncDispose]();
    expect(browser.strayRequests).toEqual([]);
  });

  const button = (name: string | RegExp) => page.getByRole('button', { name });

  async function setUp(): Promise<void> {
    await page.goto(`${fake.url}/setup?token=once`);
    await page.getByLabel('Name', { exact: true }).fill('ada');
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByLabel('Password again').fill(PASSWORD);
    await button(/Create admin/).click();
    await page.waitForURL(/\/(vnc-viewer|sessions)/);
  }

  const showsPicture = () => eventually(() => coloursShown(page)).toBeGreaterThan(1);

  it('leads from the setup link into a live desktop that has the keyboard', async () => {
    await page.goto(`${fake.url}/`);
    await page.getByText('one-time setup link').waitFor();
    await browser.screenshot('setup-needed');
    await page.goto(`${fake.url}/setup?token=once`);
    await button(/Create admin/).click();
    await page.getByText('This is too short').waitFor();
    await browser.screenshot('setup');
    expect(page.url()).toBe(`${fake.url}/setup`);

    await setUp();
    await showsPicture();
    await eventually(() => desktopHasKeyboard(page)).toBe(true);
    const before = await fingerprint(page);
    await page.keyboard.type('hi');
    await eventually(() => fake.desktop.keys).toEqual([0x68, 0x69]);
    await eventually(() => fingerprint(page)).not.toBe(before);
    expect(browser.complaints).toEqual([]);
  });

  it('sends Ctrl-Alt-Del and carries the clipboard both ways, and gives the keyboard back', async () => {
    await setUp();
    await showsPicture();
    await button('Ctrl-Alt-Del').click();
    await eventually(() => fake.desktop.keys).toEqual([0xffe3, 0xffe9, 0xffff]);
    expect(await desktopHasKeyboard(page)).toBe(true);

    await button('Clipboard').click();
    fake.desktop.copy('from the desktop');
    const text = page.getByRole('textbox', { name: 'Clipboard of the desktop' });
    await eventually(() => text.inputValue()).toBe('from the desktop');
    await browser.screenshot('viewer-clipboard');
    await text.fill('to the desktop');
    await button('Send to desktop').click();
    await eventually(() => fake.desktop.pasted).toEqual(['to the desktop']);
    expect(await desktopHasKeyboard(page)).toBe(true);
    expect(browser.complaints).toEqual([]);
  });

  it('lets the keyboard out of a desktop by Ctrl, Alt and Shift together, with none of them left down', async () => {
    await setUp();
    await showsPicture();
    await eventually(() => desktopHasKeyboard(page)).toBe(true);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Control+Shift+ArrowLeft');
    expect(await desktopHasKeyboard(page)).toBe(true);
    for (const key of ['Control', 'Alt', 'Shift']) await page.keyboard.down(key);
    for (const key of ['Alt', 'Control', 'Shift']) await page.keyboard.up(key);
    await page.locator('a[aria-label="All desktops"]:focus').waitFor();
    expect([...fake.desktop.held]).toEqual([]);
    await page.keyboard.press('Enter');
    await page.waitForURL('**/sessions');
  });

  it('connects again with a fresh ticket when the connection is cut', async () => {
    await setUp();
    await showsPicture();
    fake.desktop.manner = 'away';
    fake.desktop.drop();
    await page.getByText('The desktop does not answer.').waitFor();
    await browser.screenshot('viewer-reconnecting');
    fake.desktop.manner = 'open';
    await page.locator('.viewer-status[data-state=connected]').waitFor();
    await showsPicture();
    expect(fake.desktop.viewers).toBe(1);
    await eventually(() => desktopHasKeyboard(page)).toBe(true);
  });

  it('says why it cannot show a desktop, and tries again on request', async () => {
    await setUp();
    await showsPicture();
    fake.desktop.drop(4403, 'An admin ended this connection.');
    await page.getByText('Failed to connect to VNC proxy').waitFor();
    await page.getByText('An admin ended this connection.').waitFor();
    await browser.screenshot('viewer-failed');
    await button('Try again').click();
    await showsPicture();
  });

  /** Every title that a panel over the desktop has from now on, in order. */
  async function keepTitles(): Promise<() => Promise<string[]>> {
    await page.evaluate(`(() => {
      window.titles = [];
      const look = () => {
        const title = document.querySelector('.panel-title')?.textContent.trim();
        if (title && title !== window.titles.at(-1)) window.titles.push(title);
      };
      new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
    })()`);
    return () => page.evaluate<string[]>('titles');
  }
  const onlySession = () => {
    const [session] = fake.sessions.values();
    if (!session) throw new Error('The page started no session.');
    return session;
  };

  it('says of a hibernated desktop that it is hibernated, and of no failure before', async () => {
    await setUp();
    await showsPicture();
    const titles = await keepTitles();
    onlySession().state = 'hibernated';
    fake.desktop.drop(4423, 'The desktop is hibernated. Wake it to go on.');
    await button('Wake').waitFor();
    expect((await titles()).at(-1)).toBe('This desktop is hibernated.');
    expect(await titles()).not.toContain('Failed to connect to VNC proxy');
    await browser.screenshot('viewer-hibernated');
  });

  it('asks what became of a desktop that ended, before it says what to do', async () => {
    await setUp();
    await showsPicture();
    const titles = await keepTitles();
    fake.desktop.drop(1000, 'The desktop has ended.');
    await page.getByText('Asking what became of it.').waitFor();
    await browser.screenshot('viewer-asking');
    onlySession().state = 'hibernated';
    await button('Wake').waitFor();
    expect(await titles()).toEqual(['The desktop has ended.', 'This desktop is hibernated.']);
  });

  it('says that a desktop has ended where nothing else becomes of it', async () => {
    await setUp();
    await showsPicture();
    fake.desktop.drop(1000, 'The desktop has ended.');
    await button('Try again').waitFor();
    await page.getByText('The desktop has ended.').waitFor();
    await browser.screenshot('viewer-ended');
    await button('Try again').click();
    await showsPicture();
  });

  it.each([
    ['idle', 4408, 'Disconnected while idle.', 'Nothing happened for 5 minutes. Connect again to go on.'],
    ['unreadable', 1002, 'The server ended the connection.', 'do not understand each other'],
    ['superseded', 4409, 'Opened somewhere else.', 'A newer connection took over.'],
  ])('names the ending: %s', async (name, code, title, sentence) => {
    await setUp();
    await showsPicture();
    fake.desktop.drop(code, code === 4408 ? sentence : '');
    await page.getByText(title, { exact: true }).waitFor();
    await page.getByText(sentence).waitFor();
    expect(await page.getByText('Failed to connect').count()).toBe(0);
    expect(await button(code === 1002 ? 'Try again' : 'Connect again').count()).toBe(1);
    await browser.screenshot(`viewer-${name}`);
  });

  it('says why it is still connecting, and that it failed to connect when it gives up', async () => {
    await setUp();
    await showsPicture();
    fake.addSession('desk');
    fake.desktop.manner = 'away';
    await page.goto(`${fake.url}/vnc-viewer/desk`);
    await page.locator('.panel[role=status]').getByText('The desktop does not answer.').waitFor();
    await page.getByText('Connecting...').first().waitFor();
    await browser.screenshot('viewer-connecting');
    await page.getByText('Failed to connect to VNC proxy').waitFor();
    await page.locator('.panel[role=alert]').getByText('The desktop does not answer.').waitFor();
  });

  it('says in words for people that the control plane cannot be reached, and what to do', async () => {
    const sentence = 'The control plane cannot be reached.';
    const remedy = 'Check your network, or that it runs, and try again.';
    await setUp();
    await showsPicture();
    await page.route('**/tickets', (route) => route.abort());
    fake.desktop.drop();
    await page.getByText(`${sentence} ${remedy}`).waitFor();
    await browser.screenshot('viewer-unreachable');

    await page.route('**/api/v1/agents', (route) => route.abort());
    await page.goto(`${fake.url}/agents`);
    const notice = page.getByRole('alert');
    await notice.getByText(sentence).waitFor();
    await notice.getByText(remedy).waitFor();
    expect(await notice.getByText('No answer from').isVisible()).toBe(false);
    await page.emulateMedia({ colorScheme: 'dark' });
    await browser.screenshot('agents-unreachable-dark');
    await page.emulateMedia({ colorScheme: 'light' });
    await notice.getByText('Details').click();
    await notice.getByText('No answer from').waitFor();
    await browser.screenshot('agents-unreachable');
  });

  it('waits for a pending session, and says what became of one that failed', async () => {
    fake.startsAs = 'pending';
    await setUp();
    await page.getByText('The desktop is being started.').waitFor();
    await browser.screenshot('viewer-pending');
    const session = onlySession();
    session.state = 'failed';
    session.error = { code: 'image_missing', message: 'The image could not be found.' };
    await page.getByText('The image could not be found. (image_missing)').waitFor();
    await browser.screenshot('viewer-session-failed');
    await page.getByRole('link', { name: 'All desktops' }).first().click();
    await page.getByText('Ended').waitFor();
  });

  it('stops a session from the viewer and lists it as terminated', async () => {
    await setUp();
    await showsPicture();
    await button('Stop').click();
    const [session] = fake.sessions.keys();
    await page.getByRole('dialog').getByText(`homes/${session}`, { exact: true }).waitFor();
    await browser.screenshot('viewer-stop');
    await button('Stop session').click();
    await page.waitForURL('**/sessions');
    await page.getByText('Terminated').waitFor();
    await browser.screenshot('sessions-empty');
    expect(browser.complaints).toEqual([]);
  });

  it('lists sessions in every state and starts another', async () => {
    await setUp();
    fake.addSession('browser-x7k2', { template: 'browser', state: 'pending', user: 'grace' });
    fake.addSession('desktop-old1', { state: 'hibernated', created_at: '2026-01-04T10:00:00Z' });
    fake.addSession('desktop-old2', { state: 'terminating', created_at: '2026-01-03T10:00:00Z' });
    fake.addSession('desktop-old3', { state: 'terminated', created_at: '2026-01-02T10:00:00Z' });
    fake.addSession('desktop-old4', {
      state: 'failed',
      created_at: '2026-01-01T10:00:00Z',
      error: { code: 'agent_lost', message: 'The agent went away while the session was being started.' },
    });
    await page.goto(`${fake.url}/sessions`);
    await page.getByText('of grace').waitFor();
    await browser.screenshot('sessions');
    for (const width of [1280, 800, 641, 390, 320]) {
      await page.setViewportSize({ width, height: 800 });
      expect(await page.evaluate<string[]>(COVERED_BADGES), `${width} px`).toEqual([]);
    }
    await page.setViewportSize({ width: 1280, height: 800 });
    await button('New desktop').click();
    await browser.screenshot('sessions-new');
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /Web browser/ })
      .click();
    await page.waitForURL(/vnc-viewer\/browser-/);
    await showsPicture();
    expect(browser.complaints).toEqual([]);
  });

  it('lists the desktops of every page that has one which has not ended, and loads no further pages', async () => {
    await setUp();
    fake.sessions.clear();
    fake.pageSize = 2;
    for (const user of ['una', 'vera', 'wim']) fake.addSession(`desk-${user}`, { user });
    for (const user of ['xin', 'yoko', 'zoe']) fake.addSession(`desk-${user}`, { user, state: 'terminated' });
    fake.cursors.length = 0;
    await page.goto(`${fake.url}/sessions`);
    for (const user of ['una', 'vera', 'wim']) await page.getByText(`of ${user}`).waitFor();
    expect(new Set(fake.cursors)).toEqual(new Set(['', '2']));
  });

  it('says what to do when no agent can run a desktop', async () => {
    await setUp();
    fake.startsAs = 'no_agents';
    fake.sessions.clear();
    await page.goto(`${fake.url}/sessions`);
    await page.getByRole('button', { name: /Web browser/ }).click();
    await page.getByText('No agent is online that could run this.').waitFor();
    await page.getByText('Start an agent and try again.').waitFor();
    await browser.screenshot('sessions-no-agents');
  });

  it('keeps the login over a reload, ends it on request, and refuses a wrong password', async () => {
    await setUp();
    await page.goto(`${fake.url}/agents`);
    await page.getByText('No agent has registered yet.').waitFor();
    fake.agents = [
      {
        agent_id: 'local-1',
        platform: 'local',
        status: 'online',
        region: 'here',
        last_heartbeat: new Date().toISOString(),
        capacity: { max_sessions: 8, current_sessions: 1 },
      },
      {
        agent_id: 'docker-2',
        platform: 'docker',
        status: 'offline',
        region: null,
        last_heartbeat: null,
        capacity: { max_sessions: 0, current_sessions: 0 },
      },
    ];
    await page.reload();
    await page.getByText('local-1').waitFor();
    await browser.screenshot('agents');
    expect(browser.complaints).toEqual([]);

    await button('Log out').click();
    await page.waitForURL('**/login?next=%2Fagents');
    await page.getByLabel('Name').fill('ada');
    await page.getByLabel('Password').fill('wrong');
    await button('Log in').click();
    await page.getByText('The name or the password is wrong.').waitFor();
    await browser.screenshot('login');
    await page.getByLabel('Password').fill(PASSWORD);
    await button('Log in').click();
    await page.waitForURL('**/agents');
  });

  it('logs out every tab of the browser, and ends what they show', async () => {
    await setUp();
    await showsPicture();
    const shown = new URL(page.url()).pathname;
    const other = await browser.context.newPage();
    await other.goto(`${fake.url}/sessions`);
    await other.getByRole('button', { name: 'Log out' }).click();
    await other.waitForURL('**/login?next=%2Fsessions');
    await page.waitForURL(`**/login?next=${encodeURIComponent(shown)}`);
    await button('Log in').waitFor();
    await eventually(() => fake.desktop.viewers).toBe(0);
    await page.reload();
    await button('Log in').waitFor();
  });

  it('says that the set-up comes first, wherever one begins', async () => {
    for (const path of ['/sessions', '/login', '/vnc-viewer/desk', '/setup']) {
      await page.goto(`${fake.url}${path}`);
      await page.getByText('one-time setup link').waitFor();
    }
    expect(browser.complaints).toEqual([]);
  });

  it('says that a setup link is wrong, or was used, in place of a form that cannot help', async () => {
    const fill = async (): Promise<void> => {
      await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
      await page.getByLabel('Password again').fill(PASSWORD);
      await button(/Create admin/).click();
    };
    await page.goto(`${fake.url}/setup?token=wrong`);
    await fill();
    await page.getByRole('heading', { name: 'This link does not work' }).waitFor();
    await page.getByText('The setup link is not valid any more.').waitFor();
    await page.getByText('Open this:').waitFor();
    expect(await page.getByLabel('Password', { exact: true }).count()).toBe(0);
    await browser.screenshot('setup-link-wrong');

    // Somebody else is faster.
    await page.goto(`${fake.url}/setup?token=once`);
    await page.getByLabel('Password again').waitFor();
    fake.setupRequired = false;
    await fill();
    await page.getByRole('heading', { name: 'Already set up' }).waitFor();

    await page.goto(`${fake.url}/setup?token=once`);
    await page.getByRole('heading', { name: 'Already set up' }).waitFor();
    await browser.screenshot('setup-done');
    await page.getByRole('link', { name: 'Log in' }).click();
    await button('Log in').waitFor();
  });

  it('does not wait for a session that is not there', async () => {
    await setUp();
    await page.goto(`${fake.url}/vnc-viewer/no-such-desk`);
    await page.getByText('There is no session no-such-desk.').waitFor();
    expect(await page.locator('.viewer-status').textContent()).toBe('Not found');
    expect(await page.getByText('Connecting').count()).toBe(0);
    await browser.screenshot('viewer-no-session');
  });

  it('is dark where the person prefers that, and fits a narrow screen', async () => {
    await setUp();
    fake.addSession('browser-x7k2', { template: 'browser', state: 'pending' });
    fake.addSession('desktop-old3', { state: 'terminated' });
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.goto(`${fake.url}/sessions`);
    await page.getByText('Terminated').waitFor();
    await browser.screenshot('sessions-dark');
    await page.setViewportSize({ width: 390, height: 780 });
    await browser.screenshot('sessions-narrow');
    expect(await page.evaluate<boolean>('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    await page.getByRole('link', { name: /^Open Desktop/ }).click();
    await showsPicture();
    await browser.screenshot('viewer-narrow');
    await button('Stop').click();
    await button('Keep it running').click();
    await eventually(() => desktopHasKeyboard(page)).toBe(true);
  });
});
