// The report in a browser: `node .ci/report.mjs REPORT.html SUMMARY.json`, with playwright-core in NODE_PATH's folder; or
// that of a comparison, with its `compare.json`.
// No console error under the page's own policy; marks and rows agree; a hover tells the row; a value read back is the
// summary's; a zoom moves all charts over time; a key highlights a team; both colour schemes; drawn within a second.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';
import assert from 'node:assert/strict';

const [page, summaryFile] = process.argv.slice(2);
const { chromium } = createRequire(`${process.env.NODE_PATH}/`)('playwright-core');
const summary = JSON.parse(readFileSync(summaryFile, 'utf8'));
/// The rows behind a link: fields in quotes may hold the ends of lines.
const table = (href) => {
  const text = decodeURIComponent(href.slice(href.indexOf(',') + 1));
  const rows = [['']];
  let quoted = false;
  for (const letter of text) {
    const row = rows[rows.length - 1];
    if (letter === '"') quoted = !quoted;
    else if (!quoted && letter === ',') row.push('');
    else if (!quoted && letter === '\n') rows.push(['']);
    else row[row.length - 1] += letter;
  }
  return rows.slice(0, -1);
};
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-sync'],
});
try {
  for (const colorScheme of ['light', 'dark']) {
    const tab = await browser.newPage({ viewport: { width: 1100, height: 900 }, colorScheme });
    const faults = [];
    tab.on('console', (message) => faults.push(message.text()));
    tab.on('pageerror', (error) => faults.push(error.message));
    tab.on('request', (request) => { if (!request.url().startsWith('file:')) faults.push(request.url()); });
    const begun = Date.now();
    await tab.goto(pathToFileURL(resolve(page)).href);
    const charts = await tab.$$eval('figure.chart', (figures) => figures.map((figure) => ({
      id: figure.id,
      marks: figure.querySelectorAll('.m').length,
      href: figure.querySelector('a.data').href,
    })));
    const drawn = Date.now() - begun;
    assert.ok(drawn < 1000, `drawn in ${drawn} ms`);
    assert.equal(await tab.getAttribute('html', 'data-ready'), String(charts.length));
    for (const chart of charts) {
      const { id, marks, href } = chart;
      const [names, ...rows] = table(href);
      assert.equal(marks, rows.length, id);
      assert.ok(names.every((name) => name !== '') && rows.every((row) => row.length === names.length), id);
      // The mark that is told first is told by its own row, zeros and all.
      await tab.focus(`#${id} > svg`);
      await tab.keyboard.press('ArrowRight');
      const lines = (await tab.textContent('#tip')).split('\n');
      const plain = (name) => name.replace(/_s$/, '').replaceAll('_', ' ').replace(/[\u0000-\u001f]+/g, ' ');
      assert.ok(lines[0].replaceAll('_', ' ').startsWith(`${plain(names[0])}: `), `${id}: ${lines[0]}`);
      if (id === 'lives') {
        const told = lines.map((line) => line.split(': ')[0]);
        for (const name of ['job', 'team', 'waits from', 'start', 'end']) assert.ok(told.includes(name), told.join());
      }
      await tab.keyboard.press('Escape');
    }

    const background = await tab.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const brightness = background.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
    assert.equal(brightness > 380, colorScheme === 'light', background);

    const compares = summary.schema === 'sim.compare/1';
    if (compares) {
      // The first bar is the first team's mean wait under the first policy.
      const values = await tab.$$eval('#teams .m', (marks) => marks.map((mark) => Number(mark.dataset.v)));
      assert.equal(values[0], summary.policies[0].teams.find((team) => team.jobs > 0).wait_s.mean);
    } else if (summary.cost_usd) {
      const values = await tab.$$eval('#cost .m', (marks) => marks.map((mark) => Number(mark.dataset.v)));
      assert.equal(values[0], summary.teams[0].cost_usd);
    }
    const main = compares ? 'waits' : 'pool0';
    const plot = await tab.$(`#${main} svg.plot`);
    await plot.scrollIntoViewIfNeeded();
    const box = await plot.boundingBox();
    await tab.mouse.move(box.x + box.width * 0.4, box.y + box.height / 2);
    const told = await tab.textContent('#tip');
    assert.match(told, compares ? /^at most: / : /^after: /);
    const key = await tab.$('button.key[data-k="0"]');
    await key.click();
    assert.equal(await tab.getAttribute('body', 'data-pick'), '0');
    await key.click();
    await tab.mouse.move(box.x + box.width * 0.2, box.y + box.height / 2);
    await tab.mouse.down();
    await tab.mouse.move(box.x + box.width * 0.5, box.y + box.height / 2);
    await tab.mouse.up();
    const group = compares ? 'wait' : 'time';
    const shown = await tab.$$eval(`figure[data-zoom=${group}] .range`, (ranges) => ranges.map((range) => range.textContent));
    assert.ok(shown.length > 1 && shown[0] !== '' && shown.every((range) => range === shown[0]), shown.join());
    // On paper nothing is cut off: no table is wider than its card.
    await tab.emulateMedia({ media: 'print', colorScheme });
    await tab.setViewportSize({ width: 794, height: 1123 });
    const cut = await tab.$$eval('table', (tables) => tables.map((one) => one.scrollWidth - one.parentElement.clientWidth));
    assert.ok(cut.every((over) => over <= 0), `tables beyond their cards by ${cut.join()}`);
    await tab.setViewportSize({ width: 1100, height: 900 });
    await tab.emulateMedia({ media: 'screen', colorScheme });
    await tab.focus(`#${main} > svg`);
    await tab.keyboard.press('0');
    assert.equal(await tab.textContent(`#${main} .range`), '');
    await tab.keyboard.press('+');
    assert.notEqual(await tab.textContent(`#${main} .range`), '');
    assert.deepEqual(faults, []);
    console.log(`${page}, ${colorScheme}: ${charts.length} charts in ${drawn} ms`);
    await tab.close();
  }
} finally {
  await browser.close();
}
