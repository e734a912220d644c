"use strict";
// What every case stands on: browser contexts that note whatever the content
// security policy refused and whatever script failed, and a few deeds that
// people do on the console's pages.
const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const { request } = require("playwright-core");

// A page that takes longer than this is broken, even on a busy machine.
const patience = 120_000;

const sizes = { wide: { width: 1280, height: 800 }, narrow: { width: 360, height: 740 } };

class World {
  constructor(browser, args) {
    this.browser = browser;
    this.args = args;
    this.contexts = [];
    this.refused = []; // by the content security policy
    this.failed = []; // scripts
    this.ends = []; // what else to close
  }

  // open returns a page of a browser that shares nothing with others.
  // o.script false turns JavaScript off, o.quiet leaves refusals unnoted.
  async open(o = {}) {
    const context = await this.browser.newContext({
      javaScriptEnabled: o.script !== false,
      colorScheme: o.dark ? "dark" : "light",
      viewport: o.narrow ? sizes.narrow : sizes.wide,
      reducedMotion: "reduce",
      ignoreHTTPSErrors: true,
      locale: "en-GB",
      deviceScaleFactor: 1,
      permissions: o.permissions,
    });
    this.contexts.push(context);
    context.setDefaultTimeout(patience);
    if (!o.quiet) await this.#note(context, o.script !== false);
    return context.newPage();
  }

  async #note(context, script) {
    context.on("console", m => {
      if (/content security policy/i.test(m.text())) this.refused.push(`${m.text()} on ${m.page()?.url()}`);
    });
    context.on("weberror", e => this.failed.push(`${e.error()} on ${e.page()?.url()}`));
    if (!script) return;
    await context.exposeBinding("noteRefusal", ({ page }, what) => this.refused.push(`${what} on ${page.url()}`));
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", e => window.noteRefusal(`${e.effectiveDirective}: ${e.blockedURI} ${e.sample}`));
      // When a message came up on this page, and when the server took it.
      window.arrivals = [];
      const known = new Set();
      const look = () => {
        for (const m of document.querySelectorAll("[data-message]")) {
          const time = m.querySelector("time"); // comes last: until then the page is still being read
          if (!time || known.has(m.dataset.message)) continue;
          known.add(m.dataset.message);
          window.arrivals.push({ id: m.dataset.message, otp: m.dataset.otp, after: Date.now() - Date.parse(time.dateTime) });
        }
      };
      new MutationObserver(look).observe(document, { childList: true, subtree: true });
    });
  }

  // verdict fails if any page of the case was refused something by its policy,
  // or had a script that failed.
  async verdict() {
    assert.deepEqual(this.refused, [], "refused by the content security policy");
    assert.deepEqual(this.failed, [], "scripts that failed");
  }

  // shown says what the pages show, for whoever reads a failure.
  async shown() {
    const all = [];
    for (const context of this.contexts) {
      for (const page of context.pages()) {
        const text = await page.locator("body").innerText({ timeout: 1000 }).catch(() => "?");
        all.push(`--- ${page.url()}\n${text.replace(/\n\s*\n/g, "\n").slice(0, 700)}`);
      }
    }
    return all.join("\n");
  }

  async close() {
    for (const context of this.contexts) await context.close().catch(() => {});
    for (const end of this.ends) await end();
  }
}

// enter follows a one-time link to where it signs in.
async function enter(page, link) {
  await page.goto(link);
  await page.getByRole("navigation", { name: "Pages" }).waitFor();
}

// the server's origin and the console's base, of any address there.
const origin = address => new URL(address).origin;
const base = address => origin(address) + "/console";

// client calls APIs; it takes a test's own certificate.
const client = request.newContext({ ignoreHTTPSErrors: true });

// call asks the version 4 API.
async function call(args, method, path, data) {
  const answer = await (await client).fetch(args.server + path, { method, headers: { apiKey: args.key }, data });
  const text = await answer.text();
  assert.ok(answer.ok(), `${method} ${path}: ${answer.status()} ${text}`);
  return text ? JSON.parse(text) : {};
}

// send sends a code to a number over the API and returns the OTP's id.
async function send(args, to, priorityName = "browser") {
  return (await call(args, "POST", "/2fa/v4/otp", { to, profileName: "browser", priorityName })).id;
}

// codeOf reads the code in the newest message of an OTP that a page shows.
async function codeOf(page, otp) {
  const text = await page.locator(`[data-testid=message]${otp ? `[data-otp="${otp}"]` : ""} .text`).last().innerText();
  const found = text.match(/\b\d{4,10}\b/);
  assert.ok(found, `no code in “${text}”`);
  return found[0];
}

// totp is what an authenticator app shows (RFC 6238) now, or steps later.
function totp(secret, steps = 0) {
  const bits = [...secret.replace(/\s/g, "")].map(c => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map(b => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = crypto.createHmac("sha1", key).update(counter).digest();
  const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

const sleep = ms => new Promise(done => setTimeout(done, ms));

// told makes a change and waits until the page was answered from path what is so
// of it, and had the time to show it.
async function told(page, path, so, change) {
  const answer = page.waitForResponse(async r => r.url().endsWith(path) && so(await r.text()));
  await change();
  await (await answer).finished();
  await page.evaluate(() => new Promise(done => { setTimeout(done, 100); }));
}

// until asks again and again whether something is so that must come to be.
async function until(so, why) {
  for (const begun = Date.now(); !await so(); await sleep(10)) assert.ok(Date.now() - begun < patience, why);
}

module.exports = { World, assert, base, call, codeOf, enter, origin, patience, send, sizes, sleep, told, totp, until };
