"use strict";
// Runs cases in one Chromium for the Go tests: a line of JSON in names a case
// and its arguments, a line out says what came of it. It ends with its input.
const readline = require("node:readline");
const { chromium } = require("playwright-core");
const { World } = require("./world.cjs");

const cases = {
  ...require("./phones.cjs"),
  ...require("./desk.cjs"),
  ...require("./doors.cjs"),
  ...require("./sessions.cjs"),
  ...require("./attacks.cjs"),
  ...require("./everypage.cjs"),
  ...require("./names.cjs"),
  ...require("./pictures.cjs"),
};

async function main() {
  const browser = await chromium.launch({ executablePath: process.argv[2], args: ["--disable-dev-shm-usage"] });
  const running = new Set();
  const answer = async ({ id, name, args }) => {
    const world = new World(browser, args);
    const reply = { id };
    try {
      if (!cases[name]) throw new Error(`no case is called ${name}`);
      reply.result = (await cases[name](world, args)) ?? null;
      await world.verdict();
    } catch (err) {
      reply.error = String(err.stack || err);
      reply.shown = await world.shown();
    }
    await world.close();
    process.stdout.write(JSON.stringify(reply) + "\n");
  };
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const job = answer(JSON.parse(line));
    running.add(job);
    job.finally(() => running.delete(job));
  }
  await Promise.all(running);
  await browser.close();
}

main().catch(err => {
  console.error(err);
  process.exit(1);
});
