// The report in a browser: `node .ci/report.mjs REPORT.html SUMMARY.json`, with playwright-core in NODE_PATH's folder; or
// that of a comparison, with its `compare.json`.
// No console error under the page's own policy; marks and rows agree; every mark tells its row, and what the rows of a chart
// add up to is what the files beside the page say; a zoom moves all charts over time and marks their axes anew; a key
// highlights a team; both colour schemes; drawn within a second; below 1 MB.
import { createRequire } from 'node:module';
import { readFileSync, statSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { dirname, join, resolve } from 'node:path';
import assert from 'node:assert/strict';

const [page, summaryFile] = process.argv.slice(2);
const { chromium } = createRequire(`${process.env.NODE_PATH}/`)('playwright-core');
const summary = JSON.parse(readFileSync(summaryFile, 'utf8'));
assert.ok(statSync(page).size < 1e6, `${statSync(page).size} bytes`);
/// The rows behind a link.
const table = (href) => csv(decodeURIComponent(href.slice(href.indexOf(',') + 1)));
/// Fields in quotes may hold the ends of lines.
const csv = (text) => {
  const rows = [['']];
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const [letter, row] = [text[at], rows[rows.length - 1]];
    if (letter === '"' && quoted && text[at + 1] === '"') at += 1;
    else if (letter === '"') {
      quoted = !quoted;
      continue;
    }
    if (!quoted && letter === ',') row.push('');
    else if (!quoted && letter === '\n') rows.push(['']);
    else row[row.length - 1] += letter;
  }
  return rows.slice(0, -1);
};
const beside = (name) => {
  const [names, ...rows] = csv(readFileSync(join(dirname(page), name), 'utf8'));
  return rows.map((row) => Object.fromEntries(names.map((name, index) => [name, row[index]])));
};
const compares = summary.schema === 'sim.compare/1';
const series = compares ? [] : beside('series.csv');
const jobs = compares ? [] : beside('jobs.csv');

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
/// `digits` is what the page rounds its values to.
const near = (found, expected, what, digits = 0.0005) =>
  assert.ok(Math.abs(found - expected) <= digits + 1e-6 * Math.abs(expected), `${what}: ${found}, not ${expected}`);
const column = (rows, index) => rows.map((row) => Number(row[index]));
const heights = (rows) => rows.map((row) => row.slice(1).reduce((sum, value) => sum + Number(value), 0));
/// The median of a line of parts lies between the last place below a half and the first above.
const median = (rows, index, expected, what) => {
  const after = rows.findIndex((row) => Number(row[index]) >= 0.5);
  assert.ok(expected <= Number(rows[after][0]) + 0.001 || after === rows.length - 1, `${what}: median ${expected}`);
  assert.ok(after === 0 || expected >= Number(rows[after - 1][0]) - 0.001, `${what}: median ${expected}`);
};
/// By team, or by policy where there is only one of either name.
const named = (list, name) => list.find((one) => one.name === name);
/// What the marks of one chart told, against the summary and the files beside it; false where a chart is not known.
const told_of = {
  pool: ([, ...rows], index) => {
    const pool = summary.pools[index];
    const kind = ['gpu', 'cpu'].find((name) => name in pool.utilization) ?? Object.keys(pool.utilization)[0];
    const there = series.filter((row) => row.measure === 'capacity' && row.pool === pool.name && row.resource === kind);
    const capacity = mean(there.map((row) => Number(row.value)));
    near(mean(heights(rows)), pool.utilization[kind] * capacity, `held of ${pool.name}`, 0.005);
  },
  busy: ([, ...rows]) => {
    for (const { name, utilization } of summary.pools) {
      const cells = rows.filter((row) => row[1] === name);
      const kind = ['gpu', 'cpu'].find((kind) => kind in utilization);
      if (kind && cells.length > 0) near(mean(column(cells, 2)), utilization[kind], `utilization of ${name}`, 0.001);
    }
  },
  shares: ([names, ...rows]) => names.slice(1, -1).forEach((name, index) =>
    near(mean(column(rows, index + 1)), named(summary.teams, name).share_mean, `share of ${name}`)),
  weighted: ([names, ...rows]) => names.slice(1).forEach((name, index) => {
    const { share_mean: share, weight } = named(summary.teams, name);
    near(mean(column(rows, index + 1)), share / weight, `share of ${name} over its weight`);
  }),
  entitled: ([names, ...rows]) => names.slice(1).forEach((name, index) =>
    near(mean(column(rows, index + 1)), named(summary.teams, name).entitlement_mean, `entitlement of ${name}`)),
  queue: ([, ...rows]) => near(mean(heights(rows)), summary.queue.jobs_mean, 'waiting jobs', 0.005),
  'queue-amount': ([, ...rows]) => {
    if (summary.pools.some((pool) => 'gpu' in pool.utilization)) {
      near(mean(heights(rows)), summary.queue.gpus_mean, 'GPUs asked', 0.005);
    }
  },
  waits: ([names, ...rows], index) => names.slice(1).forEach((name, place) => {
    const team = compares ? summary.policies[place].teams : summary.teams;
    const own = index === undefined ? summary.policies?.[place] : undefined;
    const wait = own?.wait_s ?? (compares ? undefined : named(team, name)?.wait_s);
    if (wait?.count > 0) median(rows, place + 1, wait.p50, `waits of ${name}`);
  }),
  slowdown: ([, ...rows]) => {
    const all = rows.reduce((sum, row) => sum + Number(row[1]), 0);
    const sum = rows.reduce((sum, row) => sum + Number(row[1]) * Number(row[2]), 0);
    assert.equal(all, summary.bounded_slowdown.count);
    near(sum / all, summary.bounded_slowdown.mean, 'slowdown');
  },
  cost: ([names, ...rows]) => rows.slice(0, Math.min(40, summary.teams.length)).forEach(([who, value], index) =>
    near(Number(value), summary.teams[index][names[1] === 'usd' ? 'cost_usd' : 'gpu_hours'], `${names[1]} of ${who}`)),
  lives: ([names, ...rows]) => {
    const at = (name) => names.indexOf(name);
    const last = rows.findLast((row) => row[at('ends')] === 'ended');
    if (!last) return;
    const job = jobs.find((job) => job.job_id === last[at('job')]);
    // Their times are those since the first that is shown.
    near(last[at('end_s')] - last[at('start_s')], job.end_s - job.start_s, `how long ${job.job_id} runs`, 0.002);
  },
  teams: ([, ...rows]) => rows.forEach(([team, policy, wait]) => {
    const run = summary.policies.find((run) => run.policy === policy);
    near(Number(wait), named(run.teams, team).wait_s.mean ?? 0, `wait of ${team} under ${policy}`);
  }),
  front: ([, ...rows]) => rows.forEach(([policy, wait, jain]) => {
    const { wait_s: waits, fairness } = summary.policies.find((run) => run.policy === policy);
    near(Number(jain), fairness.jain, `evenness under ${policy}`);
    // Where all jobs ended under all, these are all waits.
    if (summary.policies.every((run) => run.wait_s.count === run.jobs.submitted)) {
      near(Number(wait), waits.mean, `wait under ${policy}`);
    }
  }),
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
      // Every mark tells the values of its row, and these are those of the summary.
      const tips = await tab.$$eval(`#${id} .m`, (marks) => marks.map((mark) => {
        mark.dispatchEvent(new PointerEvent('pointermove', { clientX: 5, clientY: 5, bubbles: true }));
        return document.querySelector('#tip').textContent.split('\n');
      }));
      await tab.keyboard.press('Escape');
      const clean = (text) => text.replace(/[\u0000-\u001f\u007f]+/g, ' ');
      rows.forEach((row, index) => {
        const shown = names.map((name, at) => [name, row[at]])
          .filter(([name, value], at) => value !== '' && !(value === '0' && at > 0) && !name.endsWith('_s'))
          .map(([name, value]) => clean(`${name}: ${value}`));
        for (const line of shown.slice(0, 14)) assert.ok(tips[index].includes(line), `${id}, ${index}: no ${line} in ${tips[index]}`);
      });
      const bars = await tab.$$eval(`#${id} .m[data-v]`, (marks) => marks.map((mark) => Number(mark.dataset.v)));
      bars.forEach((bar, index) => {
        const at = { teams: 2, slowdown: 2 }[id] ?? names.length - 1;
        near(bar, Number(rows[index][at]), `${id}: length of bar ${index}`);
      });
      const [, kind, number] = id.match(/^([a-z-]+?)-?(\d+)?$/);
      assert.ok(kind in told_of, `nothing is read back from ${id}`);
      told_of[kind]([names, ...rows], number === undefined ? undefined : Number(number));
    }

    const background = await tab.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const brightness = background.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
    assert.equal(brightness > 380, colorScheme === 'light', background);

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
    // What is in view has marks of its own, with units, none like another, also in the closest view.
    const visible = () => tab.$$eval(`#${main} g.tick:not(.away) text`, (labels) => labels.map((label) => label.textContent));
    const distinct = async () => {
      const labels = await visible();
      assert.ok(labels.length > 1 && new Set(labels).size === labels.length, labels.join());
      assert.ok(labels.every((label) => / (ms|s|min|h|d)$/.test(label)), labels.join());
      return labels;
    };
    await distinct();
    await tab.focus(`#${main} > svg`);
    for (let press = 0; press < 12; press += 1) await tab.keyboard.press('+');
    await distinct();
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
