"use strict";
// The longest names that the APIs take, and those that people give.
const { assert, base, call, enter } = require("./world.cjs");

const widths = [360, 645, 768, 1024, 1280];

// usual are names without a blank as programs make them, long the longest that
// there can be.
const usual = { text: "customer_portal_login_sms_template_v2", profile: "customer_portal_login_production_eu", order: "sms_then_voice_then_whatsapp_production" };
const long = { text: "W".repeat(256), profile: "W".repeat(256), order: "W".repeat(256) };
const host = "https://prod-12.westeurope.logic.example/";
const path = "workflows/0123456789abcdef0123456789abcdef/triggers/manual/paths/invoke";

// names looks whether any page scrolls sideways.
async function names(world, args) {
  const made = (path, data) => call(args, "POST", path, data);
  await made("/2fa/v4/configurations/channels/whatsapp", { whatsAppAccountId: "w".repeat(64) });
  for (const name of ["customer_portal_login_otp_de_v2", "w".repeat(512)]) {
    await made("/2fa/v4/templates/whatsapp", { name, language: "de", otpType: "COPY_CODE" });
  }
  const profiles = [];
  for (const n of [usual, long]) {
    for (const channel of ["sms", "voice"]) {
      await made("/2fa/v4/templates/" + channel, { name: n.text, language: "en", message: `Your code is {{otp_code}}. ${n === long ? "W".repeat(480) : "Never tell it to anybody."}` });
    }
    profiles.push((await made("/2fa/v4/profiles", {
      name: n.profile, channels: ["SMS", "VOICE"].map(type => ({ type, templates: [{ name: n.text }] })),
    })).id);
    await made("/2fa/v4/priorities", { name: n.order, channelPriority: [{ channel: "SMS", priority: 1 }, { channel: "VOICE", priority: 2 }] });
    await made("/2fa/v1/application", { name: n.profile.slice(0, 100), sender: "ACME" });
  }
  const headers = { ["X-" + "h".repeat(126)]: "v" };
  const callbacks = [
    await made("/2fa/v4/configurations/callbacks", { url: host + path, profileId: profiles[0] }),
    await made("/2fa/v4/configurations/callbacks", { url: (host + "p".repeat(2048)).slice(0, 2048), profileId: profiles[1], headers }),
  ];
  await made("/2fa/v4/otp", { to: "+4915112340001", profileName: long.profile, priorityName: long.order, reference: "r".repeat(255) });

  const page = await world.open();
  await enter(page, args.link);
  const at = base(args.link), seen = [];
  const linked = async list => {
    await page.goto(at + list);
    return page.locator("main table a").evaluateAll(all => all.map(a => new URL(a.href).pathname.replace("/console", "")));
  };
  const pages = [
    "/templates", "/templates/new", "/templates/whatsapp", "/plans", "/plans/profiles/new", "/plans/priorities", "/plans/applications", "/callbacks",
    "/keys", "/keys/settings", "/operation", "/audit", "/otps", "/numbers?by=template", "/phones",
    ...callbacks.flatMap(c => [`/callbacks/${c.id}?show=waiting`, `/callbacks/${c.id}?show=dead`, `/callbacks/${c.id}/edit`]),
  ];
  await page.goto(at + "/phones");
  for (const to of args.mails) {
    const phone = page.getByTestId("phone").filter({ hasText: to });
    pages.push(new URL(await phone.getByRole("link", { name: "Open this phone" }).evaluate(a => a.href)).pathname.replace("/console", ""));
  }
  for (const list of ["/templates", "/plans", "/plans/priorities", "/plans/applications", "/otps"]) pages.push(...await linked(list));
  for (const one of pages) {
    await page.setViewportSize({ width: widths.at(-1), height: 800 });
    const answer = await page.goto(at + one);
    assert.ok(answer.ok(), `${one}: ${answer.status()}`);
    for (const width of widths) {
      await page.setViewportSize({ width, height: 800 });
      // The charts are drawn anew for the width, a moment later.
      if (one.startsWith("/numbers")) await page.waitForFunction(() => [...document.querySelectorAll(".u-wrap")].every(w => w.clientWidth === w.closest(".chart").clientWidth));
      const wide = await page.evaluate(() => {
        const root = document.documentElement;
        const cut = [...document.querySelectorAll(".phone .number")].filter(e => e.getBoundingClientRect().right > e.closest(".phone").getBoundingClientRect().right);
        if (cut.length) return `not as wide as ${cut[0].textContent}`;
        if (root.scrollWidth <= root.clientWidth) return null;
        const over = [...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > root.clientWidth + 1);
        return `${root.scrollWidth}: ${over.slice(0, 3).map(e => e.outerHTML.slice(0, 120)).join(" | ")}`;
      });
      if (wide) seen.push(`${one} at ${width} px is ${wide}`);
    }
  }
  assert.deepEqual(seen, []);
  await details(page, at);
  await header(page, at);
  return { pages: pages.length };
}

// details looks at what else is easily lost on a narrow screen, in forced colours
// and beside names that are written from right to left.
async function details(page, at) {
  const style = (locator, property, of) => locator.evaluate((e, [property, of]) => getComputedStyle(e, of)[property], [property, of]);
  const narrow = { width: 360, height: 740 };
  await page.setViewportSize(narrow);
  await page.goto(at + "/audit");
  const current = page.locator(".top nav a[aria-current]");
  const box = await current.boundingBox();
  assert.ok(box.x >= 0 && box.x + box.width <= narrow.width, `the current page is out of sight, at ${box.x} px`);
  const what = page.locator("td.mono[data-label]").first(), who = page.locator("td[data-label]:not(.mono)").first();
  for (const property of ["fontFamily", "fontSize"]) {
    assert.equal(await style(what, property, "::before"), await style(who, property, "::before"), `${property} of a card's labels`);
  }
  await page.goto(at + "/otps");
  assert.ok((await page.locator("table.cards caption").boundingBox()).height < 40, "the caption has a word a line");
  await page.goto(at + "/templates");
  assert.equal(await style(page.locator(".row.end > h2").first(), "marginTop"), "0px");

  await page.setViewportSize({ width: 1280, height: 800 });
  await page.goto(at + "/plans");
  for (const name of await page.locator(".tag bdi").all()) assert.equal(await style(name, "unicodeBidi"), "isolate");
  assert.equal(await page.locator(".tag bdi").count(), 4); // two templates of two profiles
  await page.emulateMedia({ forcedColors: "active" });
  const others = page.locator(".top nav a:not([aria-current])").first();
  assert.notEqual(await style(current, "backgroundColor"), await style(others, "backgroundColor"), "forced colours hide the current page");
  await page.locator("body").evaluate(body => body.insertAdjacentHTML("beforeend", `<button id="a" aria-pressed="true">a</button><button id="b" aria-pressed="false">b</button>`));
  assert.notEqual(await style(page.locator("#a"), "backgroundColor"), await style(page.locator("#b"), "backgroundColor"), "forced colours hide a pressed button");
}

// header looks whether the header has room for the longest account there can be,
// and leaves room for what has the focus.
async function header(page, at) {
  for (const size of [{ width: 360, height: 740 }, { width: 1280, height: 800 }, { width: 1280, height: 360 }]) {
    await page.setViewportSize(size);
    await page.goto(at + "/otps");
    const stops = await page.evaluate(() => [...document.querySelectorAll("main a, main button, main input, main select")].filter(e => e.getClientRects().length).length);
    await page.evaluate(() => { scrollTo(0, document.body.scrollHeight); [...document.querySelectorAll("main a")].at(-1).focus(); });
    const under = [];
    for (let i = 1; i < stops; i++) {
      await page.keyboard.press("Shift+Tab");
      const hidden = await page.evaluate(() => {
        const e = document.activeElement, box = e.getBoundingClientRect(), top = document.querySelector(".top").getBoundingClientRect();
        return e.closest("main") && e.id !== "main" && box.top < top.bottom ? e.outerHTML.slice(0, 100) : null;
      });
      if (hidden) under.push(hidden);
    }
    assert.deepEqual(under, [], `has the focus under the header, at ${size.width} × ${size.height} px`);

    // What is in the header is in sight: a step there does not move the page.
    const y = () => page.evaluate(() => scrollY), sticks = await page.evaluate(() => getComputedStyle(document.querySelector(".top")).position === "sticky");
    await page.evaluate(() => scrollTo(0, 200)); // as far as there is a page
    const before = await y();
    await page.locator(".top nav a").first().focus();
    await page.keyboard.press("Tab");
    if (sticks) assert.equal(await y(), before, `a step in the header moves the page, at ${size.width} × ${size.height} px`);

    await page.getByTestId("account-menu").locator("summary").click();
    for (const name of ["W".repeat(63), "customer-portal-production-of-the-western-european-subsidiaries"]) {
      const wide = await page.evaluate(name => {
        document.querySelector(".menu summary").lastChild.data = name;
        document.querySelector(".menu p").lastChild.data = ` of ${name}`;
        const root = document.documentElement, boxes = [...document.querySelectorAll(".menu, .menu > div")].map(e => e.getBoundingClientRect());
        return root.scrollWidth > root.clientWidth || boxes.some(b => b.left < 0 || b.right > root.clientWidth);
      }, name);
      assert.ok(!wide, `the account menu of ${name} is wider than ${size.width} px`);
    }
  }
}

module.exports = { names };
