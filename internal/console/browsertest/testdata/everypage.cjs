"use strict";
// What holds for every page that links lead to.
const { readFileSync } = require("node:fs");
const { assert, base, enter, sizes } = require("./world.cjs");

// shape tells pages of one kind apart from those of another: the same path with
// other ids is the same kind.
function shape(url) {
  const path = url.pathname.replace(/\/[0-9a-f]{12,}(?=\/|$)|\/[0-9a-f]{8}-[0-9a-f-]{27}(?=\/|$)|\/\d+(?=\/|$)/g, "/ID");
  return path + [...url.searchParams.keys()].sort().map(k => "&" + k).join("");
}

// Most pages of a kind that a crawl looks at, as those of one kind differ in
// state; and most pages altogether, so that a crawl ends.
const ofKind = 2;
const altogether = 90;

// crawl visits every kind of page that links on pages of the console lead to,
// and gives each to look. Downloads are left out: they are no pages.
async function crawl(page, start, look, most = ofKind) {
  const seen = new Set(), kinds = new Map(), queue = [start];
  let visited = 0;
  while (queue.length > 0 && visited < altogether) {
    const address = queue.shift();
    const answer = await page.goto(address);
    assert.ok(answer.ok(), `${address}: ${answer.status()}`);
    visited++;
    await look(new URL(page.url()));
    const links = await page.locator("a[href]").evaluateAll(all => all.filter(a => !a.hasAttribute("download")).map(a => a.getAttribute("href")));
    for (const link of links) {
      const url = new URL(link, page.url());
      url.hash = "";
      if (url.origin !== new URL(start).origin || !url.pathname.startsWith("/console") || /\.csv$/.test(url.pathname) || seen.has(url.href)) continue;
      seen.add(url.href);
      const kind = shape(url);
      const before = kinds.get(kind) ?? 0;
      if (before >= most || url.href === start) continue;
      kinds.set(kind, before + 1);
      queue.push(url.href);
    }
  }
  assert.ok(visited < altogether, `a crawl of ${altogether} pages did not end`);
  return visited;
}

const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

// serious is what axe finds on a page of the rules, all if none are named, that
// keeps people out.
async function serious(page, rules) {
  const found = await page.evaluate(async only => (await axe.run(document, {
    resultTypes: ["violations"], preload: false, ...(only ? { runOnly: only } : {}),
  })).violations, rules);
  return found.filter(v => v.impact === "serious" || v.impact === "critical")
    .map(v => `${v.id}: ${v.help}: ${v.nodes.slice(0, 4).map(n => n.html.slice(0, 160) + " " + (n.any[0]?.message ?? "")).join(" | ")}`);
}

// judge notes what axe finds serious on the page that is open, and whether it is
// wider than a narrow screen. All rules run on a wide light page; those that
// colours and widths can break run again on a narrow dark one.
async function judge(page, problems, name) {
  const axe = async (where, rules) => problems.push(...(await serious(page, rules)).map(f => `${name} (${where}): ${f}`));
  await page.evaluate(axeSource);
  await page.setViewportSize(sizes.wide);
  await page.emulateMedia({ colorScheme: "light" });
  await axe("light, wide");
  await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize(sizes.narrow);
  await axe("dark, narrow", ["color-contrast", "scrollable-region-focusable", "target-size"]);
  const over = await page.evaluate(() => {
    const root = document.documentElement;
    if (root.scrollWidth <= root.clientWidth) return null;
    const wide = [...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > root.clientWidth + 1);
    return `${root.scrollWidth} of ${root.clientWidth} px: ${wide.slice(0, 3).map(e => e.outerHTML.slice(0, 120)).join(" | ")}`;
  });
  if (over) problems.push(`${name} scrolls sideways at 360 px: ${over}`);
  await page.setViewportSize(sizes.wide);
}

// axe judges every page of an owner, and those before the door.
async function axe(world, { link, guarded }) {
  const page = await world.open();
  const problems = [], kinds = new Set();
  await page.goto(guarded);
  await page.getByRole("heading", { name: "Choose how you sign in" }).waitFor();
  await judge(page, problems, "enrol");
  await page.goto(base(link) + "/sign-in");
  await judge(page, problems, "sign-in");
  // The judge finds what is wrong on a page that was spoilt.
  const found = [];
  await page.evaluate(() => {
    document.documentElement.removeAttribute("lang");
    const wide = document.createElement("div");
    wide.textContent = "x".repeat(200);
    document.querySelector("main").append(wide);
  });
  await judge(page, found, "spoilt");
  assert.equal(found.filter(f => /html-has-lang|sideways/.test(f)).length, 2, found.join("\n"));
  await page.goto(base(link) + "/enter");
  await page.getByLabel("What stands behind the # of your link").fill("no token");
  await page.getByRole("button", { name: "Go in" }).click();
  await page.getByTestId("problems").waitFor();
  await judge(page, problems, "enter, refused");
  await enter(page, link);
  await page.getByLabel("Phone number").fill("no number");
  await page.getByRole("button", { name: "Send a test code" }).click();
  await page.getByTestId("problems").waitFor();
  await judge(page, problems, "phones, refused");
  await page.goto(base(link) + "/otps/nothing");
  await page.getByRole("heading", { name: "There is nothing here" }).waitFor();
  await judge(page, problems, "nothing here");
  const pages = await crawl(page, base(link) + "/phones", async url => {
    kinds.add(shape(url));
    assert.equal(await page.locator("h1").count(), 1, `${url.pathname} has not one h1`);
    await judge(page, problems, url.pathname + url.search);
  }, 1);
  assert.deepEqual(problems, []);
  return { pages, kinds: [...kinds].sort() };
}

// plain visits every page with JavaScript off: each has its content, and each
// form goes somewhere by itself.
async function plain(world, { link }) {
  const page = await world.open({ script: false });
  await page.goto(link);
  await page.getByLabel("What stands behind the # of your link").fill(new URL(link).hash.slice(1));
  await page.getByRole("button", { name: "Go in" }).click();
  const pages = await crawl(page, base(link) + "/phones", async url => {
    const text = await page.locator("main").innerText();
    assert.ok(text.length > 20, `${url.pathname} is empty without JavaScript`);
    for (const form of await page.locator("form").evaluateAll(all => all.map(f => ({
      action: f.getAttribute("action"), method: f.method, sends: !!f.querySelector("button:not([type=button]):not([hidden]), input[type=submit]"),
      token: !!f.querySelector("input[name=csrf]"), html: f.outerHTML.slice(0, 200),
    })))) {
      assert.ok(form.sends, `${url.pathname}: a form without a button: ${form.html}`);
      if (form.method === "post") assert.ok(form.action && form.token, `${url.pathname}: a form that cannot be posted: ${form.html}`);
    }
    const idle = await page.locator("button[type=button]:visible").evaluateAll(all => all.map(b => b.outerHTML));
    assert.deepEqual(idle, [], `${url.pathname}: buttons that do nothing without JavaScript`);
  });
  return { pages };
}

// masked visits every page as support: no number that was sent to is in any.
async function masked(world, { support, numbers }) {
  const page = await world.open();
  await enter(page, support);
  const pages = await crawl(page, base(support) + "/phones", async url => {
    const html = await page.content();
    for (const n of numbers) {
      assert.ok(!html.includes(n.slice(1)), `${url.pathname} shows ${n} to support`);
      assert.ok(!url.href.includes(n.slice(1)), `a number in the address ${url.href}`);
    }
  });
  return { pages };
}

module.exports = { axe, crawl, masked, plain };
