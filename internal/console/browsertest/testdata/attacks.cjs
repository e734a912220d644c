"use strict";
// What other sites and thieves try.
const http = require("node:http");
const { assert, base, call, enter, until } = require("./world.cjs");

// evil is another site: localhost is not the site that 127.0.0.1 is.
async function evil(world, pages) {
  const site = http.createServer((q, a) => {
    a.setHeader("Content-Type", "text/html");
    a.end("<!doctype html><title>Another site</title>" + (pages[q.url] ?? ""));
  });
  await new Promise(done => site.listen(0, "localhost", done));
  world.ends.push(() => new Promise(done => { site.closeAllConnections(); site.close(done); }));
  return `http://localhost:${site.address().port}`;
}

const messages = async args => (await call(args, "GET", "/sandbox/messages?to=%2B4915112340900")).length;

// forged: another site posts a form and sends a request with the cookies that
// the browser has. Nothing is sent.
async function forged(world, args) {
  const action = base(args.server) + "/phones";
  const site = await evil(world, {
    "/form": `<form method="post" action="${action}"><input name="to" value="+4915112340900"><input name="via" value="sms"></form>
      <script>document.forms[0].submit()</script>`,
    "/fetch": `<script>fetch("${action}", { method: "POST", mode: "no-cors", credentials: "include",
      body: new URLSearchParams({ to: "+4915112340900", via: "sms" }) }).then(() => { document.title = "sent"; }, () => { document.title = "failed"; })</script>`,
  });
  const page = await world.open();
  await enter(page, args.link);
  const csrf = await page.locator("form [name=csrf]").first().inputValue();
  const before = await messages(args);

  const answered = page.waitForResponse(r => r.url() === action && r.request().method() === "POST");
  await page.goto(site + "/form");
  assert.equal((await answered).status(), 403, "a form of another site was taken");
  await page.goto(site + "/fetch");
  await page.waitForFunction(() => document.title === "sent" || document.title === "failed");

  // As if the browser had sent the cookie along, and even the token.
  const form = { csrf, to: "+4915112340900", via: "sms" };
  for (const [why, headers, fields] of [
    ["cross-site", { "Sec-Fetch-Site": "cross-site" }, form],
    ["same-site", { "Sec-Fetch-Site": "same-site" }, form],
    ["Origin", { Origin: site }, form],
    ["Origin null", { Origin: "null" }, form],
    ["no token", {}, { to: form.to, via: form.via }],
    ["wrong token", {}, { ...form, csrf: "A".repeat(csrf.length) }],
  ]) {
    const answer = await page.request.post(action, { headers, form: fields, maxRedirects: 0 });
    assert.equal(answer.status(), 403, `${why}: ${answer.status()}`);
  }
  assert.equal(await messages(args), before, "a forged post sent something");
  // The same from the page itself works: the refusals were not for another reason.
  assert.equal((await page.request.post(action, { form, maxRedirects: 0 })).status(), 303);
}

// stolen: a copied cookie is worth nothing once its owner has signed out; a page
// that is open with it is left at once.
async function stolen(world, { link }) {
  const page = await world.open();
  await enter(page, link);
  const thief = await world.open();
  await thief.context().addCookies(await page.context().cookies());
  await thief.goto(base(link) + "/phones");
  await thief.getByRole("heading", { name: "Virtual phones" }).waitFor(); // it works while it lasts
  await page.getByTestId("account-menu").locator("summary").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out.").waitFor();
  const out = Date.now();
  await thief.getByRole("heading", { name: "Sign in" }).waitFor(); // by itself
  const left = Date.now() - out;
  for (const path of ["/phones", "/otps", "/audit", "/live?topic=phones"]) {
    const answer = await thief.request.get(base(link) + path, { maxRedirects: 0 });
    assert.ok([303, 401].includes(answer.status()), `${path}: ${answer.status()}`);
  }
  // Back does not bring the page up again.
  await page.goBack();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  return { left };
}

// framed: no page shows inside another, neither another site's nor its own.
async function framed(world, { link }) {
  const page = await world.open({ quiet: true }); // the refusal is what is wanted
  await enter(page, link);
  const inside = path => `<iframe src="${base(link)}${path}" width="600" height="400"></iframe>`;
  const site = await evil(world, { "/": inside("/sign-in") + inside("/phones") + inside("/enter") });
  const said = [];
  page.on("console", m => said.push(m.text()));
  await page.goto(site + "/");
  await until(() => said.filter(t => /frame-ancestors|X-Frame-Options/i.test(t)).length >= 3, "a frame was not refused");
  const frames = page.frames().filter(f => f !== page.mainFrame());
  assert.equal(frames.length, 3);
  for (const f of frames) {
    await until(() => f.url().startsWith("chrome-error:"), "a frame shows a page"); // the message comes before
    assert.equal(await f.getByText("Countersign").count(), 0, "a frame shows a page");
  }
  assert.equal(said.filter(t => /frame-ancestors|X-Frame-Options/i.test(t)).length, 3, said.join("\n"));
}

// injected: script and style that come into a page all the same do nothing, and
// the refusals are noted, without which "none was refused" would say little.
async function injected(world, { link }) {
  const page = await world.open();
  await enter(page, link);
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.injected = true";
    document.body.append(script);
    document.body.insertAdjacentHTML("beforeend", '<img src="https://other.invalid/x" onerror="window.injected = true"><p id="styled" style="color: red">x</p>');
    fetch("https://other.invalid/").catch(() => {});
  });
  for (const kind of ["script-src-elem", "style-src-attr", "img-src", "connect-src"]) {
    await until(() => world.refused.some(r => r.startsWith(kind)), `${kind} was not refused, or not noted`);
  }
  assert.equal(await page.evaluate(() => window.injected), undefined, "an inline script ran");
  assert.equal(await page.locator("#styled").evaluate(e => e.style.color), "", "an inline style took effect");
  world.refused = [];
}

module.exports = { forged, framed, injected, stolen };
