"use strict";
// Pictures of every page, for people who read the documents.
const path = require("node:path");
const { assert, base, call, codeOf, enter, send, sizes } = require("./world.cjs");

async function pictures(world, args) {
  const { link, dir } = args;
  const page = await world.open();
  const taken = [];
  // snap takes what is in sight, or the page as far as people read.
  const snap = async (name, o = {}) => {
    for (const look of o.looks ?? ["light"]) {
      const narrow = look.includes("narrow");
      await page.emulateMedia({ colorScheme: look.includes("dark") ? "dark" : "light" });
      const size = narrow ? sizes.narrow : { ...sizes.wide, height: o.height ?? sizes.wide.height };
      await page.setViewportSize(size);
      await page.evaluate(() => { scrollTo(0, 0); document.activeElement?.blur(); });
      await page.mouse.move(0, 0);
      await page.waitForTimeout(150); // charts follow the width
      const full = name + (look === "light" ? "" : "-" + look) + ".png";
      await page.screenshot({ path: path.join(dir, full) });
      taken.push(full);
    }
    await page.emulateMedia({ colorScheme: "light" });
    await page.setViewportSize(sizes.wide);
  };
  const go = async at => {
    const answer = await page.goto(base(link) + at);
    assert.ok(answer.ok(), `${at}: ${answer.status()}`);
  };

  await page.goto(base(link) + "/sign-in");
  await enter(page, link);
  // A round of each kind, so that the pages have something to show.
  const rounds = [["+4915112345678", "SMS, then a call if it does not arrive", true], ["+4915112345678", "WhatsApp", false],
    ["+447700900123", "SMS", true], ["+33612345678", "Viber", true], ["+4915112340001", "SMS, then a call if it does not arrive", false]];
  for (const [to, way, verify] of rounds) {
    await go("/phones");
    await page.getByLabel("Phone number").fill(to);
    await page.getByLabel("Channel").selectOption({ label: way });
    await page.getByRole("button", { name: "Send a test code" }).click();
    await page.getByTestId("message").first().waitFor();
    if (!verify) continue;
    const otp = new URL(page.url()).searchParams.get("otp");
    await page.locator(`[data-otp="${otp}"]`).waitFor();
    if (to === "+447700900123") {
      await page.getByLabel("Type the code").fill("000000");
      await page.getByRole("button", { name: "Check the code" }).click();
    }
    await page.getByLabel("Type the code").fill(await codeOf(page, otp));
    await page.getByRole("button", { name: "Check the code" }).click();
    await page.getByTestId("otp-status").filter({ hasText: "VERIFIED" }).waitFor();
    if (to === "+4915112345678") await snap("phone", { looks: ["light"] });
  }
  await go("/phones");
  await snap("phones", { looks: ["light", "dark", "narrow"], height: 1000 });
  await go("/otps");
  await snap("otps", { looks: ["light", "narrow"] });
  const story = (await call(args, "GET", "/sandbox/messages?to=%2B4915112340001"))[0].otpId;
  await go("/otps/" + story);
  await snap("otp", { looks: ["light", "dark"], height: 1000 });
  await go("/numbers");
  await page.locator("#messages canvas").waitFor();
  await snap("numbers", { looks: ["light", "dark", "narrow"], height: 900 });

  await go("/templates");
  await snap("templates");
  await go("/templates/new?channel=SMS");
  await page.getByLabel("Name").fill("login");
  await page.getByLabel("Text").fill("{{otp_code}} is your code – valid for {{expiration_time}} minutes.");
  await page.getByTestId("offences").waitFor();
  await snap("template", { looks: ["light", "narrow"], height: 900 });
  await go("/templates/whatsapp");
  await snap("whatsapp", { height: 500 });
  await go("/plans");
  await snap("profiles", { height: 500 });
  await page.getByRole("row").nth(1).getByRole("link").first().click();
  await snap("profile");
  await go("/plans/priorities");
  await snap("priorities", { height: 500 });
  await go("/plans/applications");
  await snap("applications", { height: 400 });
  await go("/callbacks");
  await snap("callbacks", { height: 400 });
  await page.getByRole("row", { name: /127\.0\.0\.1/ }).getByRole("link").click();
  await page.getByRole("link", { name: /^Dead letters/ }).click();
  await snap("callback");
  await go("/keys");
  await snap("keys", { height: 600 });
  await go("/keys/settings");
  await snap("settings");
  await go("/operation");
  await snap("operation", { height: 900 });
  await go("/audit");
  await snap("audit", { looks: ["light", "dark"] });
  await page.getByTestId("account-menu").locator("summary").click();
  await page.getByRole("button", { name: "Sign out" }).click();

  // How one gets in where a link alone does not do.
  await page.goto(args.guarded);
  await page.getByRole("heading", { name: "Choose how you sign in" }).waitFor();
  await snap("enrol", { height: 1000 });
  return taken;
}

module.exports = { pictures };
