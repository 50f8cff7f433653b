import type { Page } from 'playwright-core';

/** Opens the first operation of that path in the page of the API and executes it, until the answer shows that text. */
export async function triesOperation(page: Page, path: string, answer: string): Promise<void> {
  const operation = page
    .locator('.opblock')
    .filter({ has: page.locator(`[data-path="${path}"]`) })
    .first();
  await operation.locator('.opblock-summary').click();
  await operation.getByRole('button', { name: 'Try it out' }).click();
  await operation.getByRole('button', { name: 'Execute' }).click();
  const shown = operation.locator('.live-responses-table').getByText(answer).first();
  await shown.waitFor();
  await shown.scrollIntoViewIfNeeded();
}
