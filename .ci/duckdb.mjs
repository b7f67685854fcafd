// Results in DuckDB: `node .ci/duckdb.mjs FOLDER`, with @duckdb/node-api in NODE_PATH's folder.
// Every file is read by its name alone: numbers are numbers, dates are dates, names are texts whatever is in them, and
// sums over the files are the summary's.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import assert from 'node:assert/strict';

const folder = resolve(process.argv[2]);
const { DuckDBInstance } = createRequire(`${process.env.NODE_PATH}/`)('@duckdb/node-api');
const summary = JSON.parse(readFileSync(`${folder}/summary.json`, 'utf8'));
const connection = await (await DuckDBInstance.create(':memory:')).connect();
const rows = async (query) => (await connection.runAndReadAll(query)).getRowsJson();
const file = (name) => `'${folder.replaceAll("'", "''")}/${name}.csv'`;
const near = (found, expected, what) =>
  assert.ok(Math.abs(Number(found) - expected) <= 1e-6 * Math.max(1, Math.abs(expected)), `${what}: ${found}, not ${expected}`);

// A column without any value has no type of its own.
const kinds = async (name) => {
  const columns = await rows(`DESCRIBE SELECT * FROM ${file(name)}`);
  const filled = (await rows(`SELECT ${columns.map(([column]) => `count("${column}")`).join()} FROM ${file(name)}`))[0];
  const kind = (type) => (/INT|DOUBLE|DECIMAL/.test(type) ? 'number' : type.startsWith('TIMESTAMP') ? 'time' : 'text');
  return columns.filter((_, index) => Number(filled[index]) > 0).map(([column, type]) => [column, kind(type)]);
};
const NUMBERS = {
  jobs: /^(nodes|workers|gpu|cpu|memory_gib|preemptions|cost_usd|.*_s)$/,
  decisions: /^(attempt|workers|.*_s)$/,
  series: /^(value|.*_s)$/,
  cost: /(Cost|Quantity)$/,
};
// Names of which all are numbers are read as such.
const EITHER = /^(job_id|for_job|team|user|cost_owner|priority|x_(CostOwner|Team|User|Class)|SubAccountName)$/;
for (const [name, numbers] of Object.entries(NUMBERS)) {
  for (const [column, kind] of await kinds(name)) {
    const expected = numbers.test(column) ? 'number' : /^ChargePeriod/.test(column) ? 'time' : 'text';
    assert.ok(kind === expected || EITHER.test(column), `${name}.csv: ${column} is read as ${kind}, not ${expected}`);
  }
}

const one = async (query) => (await rows(query))[0];
const { jobs, cost_usd: cost } = summary;
const [count, paid, waited] = await one(`SELECT count(*), sum(cost_usd), avg(wait_s) FROM ${file('jobs')}`);
assert.equal(Number(count), jobs.submitted);
near(paid, cost.allocated, 'cost of all jobs');
near(waited, summary.wait_s.mean, 'mean wait');
const [starts, stops] =
  await one(`SELECT count(*) FILTER (action = 'start'), count(*) FILTER (action = 'evict') FROM ${file('decisions')}`);
assert.deepEqual([Number(starts), Number(stops)], [jobs.started + jobs.preemptions, jobs.preemptions]);
const [billed] = await one(`SELECT sum(BilledCost) FROM ${file('cost')} WHERE x_Line IN ('used', 'idle')`);
near(billed, cost.total, 'billed');
for (const { team, usd } of summary.teams.map(({ name, cost_usd }) => ({ team: name, usd: cost_usd }))) {
  const text = `'${team.replaceAll("'", "''")}'`;
  const [of_jobs] = await one(`SELECT coalesce(sum(cost_usd), 0) FROM ${file('jobs')} WHERE CAST(team AS VARCHAR) = ${text}`);
  near(of_jobs, usd, `cost of ${team}`);
}
for (const { name, utilization, goodput } of summary.pools) {
  for (const resource of Object.keys(utilization)) {
    const of = (measure) => `sum(value) FILTER (measure = '${measure}')`;
    const [used, good] = await one(`SELECT ${of('allocated')} / ${of('capacity')}, ${of('good')} / ${of('capacity')}
      FROM ${file('series')} WHERE CAST(pool AS VARCHAR) = '${name.replaceAll("'", "''")}' AND resource = '${resource}'
      AND coalesce(CAST(team AS VARCHAR), '') = ''`);
    for (const [found, expected, what] of [[used, utilization, 'utilization'], [good, goodput, 'goodput']]) {
      assert.ok(Math.abs(Number(found) - expected[resource]) < 1e-4, `${what} of ${name}: ${found}, not ${expected[resource]}`);
    }
  }
}

// What the documentation asks is answered, with the files found in the folder: utilization, and GPU-hours by team.
const page = readFileSync(new URL('../docs/results.md', import.meta.url), 'utf8');
const [busy, held, ...more] = [...page.matchAll(/```sql\n([^`]*);\n```/g)].map(([, query]) => query);
assert.ok(busy && held && more.length === 0, 'two queries');
const asked = (query) => rows(query.replaceAll("'series.csv'", file('series')));
for (const [pool, resource, used] of await asked(busy)) {
  const { utilization } = summary.pools.find(({ name }) => name === String(pool));
  assert.ok(Math.abs(Number(used) - utilization[resource]) < 1e-4, `${resource} of ${pool}: ${used}`);
}
const gpus = new Map((await asked(held)).map(([team, amount]) => [String(team), Number(amount)]));
for (const { name, gpu_hours: hours } of summary.teams) {
  near((gpus.get(name) ?? 0) * summary.makespan_s / 3600, hours, `GPU-hours of ${name}`);
}
console.log(`${process.argv[2]}: ${jobs.submitted} jobs read as they are`);
