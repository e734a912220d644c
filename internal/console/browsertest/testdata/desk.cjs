"use strict";
// The operator's desk: templates, callbacks and keys.
const { assert, base, enter, told, until } = require("./world.cjs");

// template: what is typed shows at once in how many segments it goes.
async function template(world, { link }) {
  const page = await world.open();
  await enter(page, link);
  await page.getByRole("link", { name: "Templates" }).click();
  await page.getByRole("link", { name: "New SMS template" }).click();
  const text = page.getByLabel("Text");
  const segments = n => page.getByTestId("segments").filter({ hasText: new RegExp(`^${n}\\b`) }).waitFor();
  const encoding = name => page.getByTestId("encoding").filter({ hasText: name }).waitFor();

  // Pressed right after the text was typed, the button works, though the preview
  // is renewed at that.
  await text.fill("{{otp_code}} – never tell it.");
  await encoding("UCS-2");
  const put = page.getByRole("button", { name: "Put the substitutes in" });
  await put.hover();
  await told(page, "/templates/preview", () => true, () => page.mouse.down());
  await page.mouse.up();
  await encoding("GSM-7");
  assert.ok(!(await text.inputValue()).includes("–"), "the dash is still there, as the button was gone");

  // Before it has a name; texts written from right to left stand so.
  await text.fill("רמז: {{otp_code}} – אל תשתף");
  await encoding("UCS-2");
  const direction = locator => locator.evaluate(e => getComputedStyle(e).direction);
  for (const written of [text, page.locator("#preview .bubble .text").first(), page.locator("#preview .marked").first()]) assert.equal(await direction(written), "rtl");
  await text.fill("{{otp_code}} – never tell it to anybody.");
  await page.locator("#preview .bubble").getByText("never tell it").first().waitFor();
  await page.getByRole("button", { name: "Preview", exact: true }).click();
  await put.click();
  await encoding("GSM-7");
  assert.ok(!(await text.inputValue()).includes("–"), "without a name, the dash is still there");
  await page.getByLabel("Name").fill("browser_preview");

  await text.fill("Your code is {{otp_code}}.");
  await encoding("GSM-7");
  await segments(1);
  await text.fill("Your code is {{otp_code}}. " + "Never tell it to anybody. ".repeat(6));
  await segments(2);
  await text.fill("Your code is {{otp_code}} – " + "never tell it to anybody. ".repeat(2));
  await encoding("UCS-2");
  await segments(2);
  await page.getByTestId("offences").getByText("–").first().waitFor();
  await page.getByRole("button", { name: "Preview", exact: true }).click();
  await put.click();
  await encoding("GSM-7");
  await segments(1);
  assert.ok(!(await text.inputValue()).includes("–"), "the dash is still there");

  // What the API refuses comes back with what was typed.
  await text.fill("No code in here.");
  await page.getByRole("button", { name: "Make the template" }).click();
  await page.getByTestId("problems").waitFor();
  assert.equal(await text.inputValue(), "No code in here.");
  assert.equal(await text.getAttribute("aria-invalid"), "true");
  await text.fill("Your code is {{otp_code}}.");
  await page.getByRole("button", { name: "Make the template" }).click();
  await page.getByText("The template was made.").waitFor();

  await refused(page, link);

  // Edit it, without JavaScript: the button previews.
  const plain = await world.open({ script: false });
  await plain.context().addCookies(await page.context().cookies());
  await plain.goto(base(link) + "/templates");
  await plain.getByRole("link", { name: "browser_preview" }).click();
  await plain.getByTestId("segments").filter({ hasText: /^1/ }).waitFor();
  await plain.getByLabel("Text").fill("{{otp_code}} " + "x".repeat(160));
  await plain.getByRole("button", { name: "Preview" }).click();
  await plain.getByTestId("segments").filter({ hasText: /^2/ }).waitFor();
  await plain.getByRole("button", { name: "Save" }).click();
  await plain.goto(base(link) + "/templates");
  await plain.getByRole("row", { name: "browser_preview" }).getByText("2 × GSM-7").waitFor();
}

// refused: what a preview is refused, and that there was no answer, stands above
// the page, which stays as it is.
async function refused(page, link) {
  await page.goto(base(link) + "/templates/new?channel=SMS");
  const text = page.getByLabel("Text"), said = page.locator("#refusal"), shown = page.getByTestId("preview");
  await text.fill("First {{otp_code}}.");
  await shown.getByText("First").first().waitFor();
  const whole = await page.locator("form [name=csrf]").first().inputValue();
  const token = value => page.locator("form [name=csrf]").evaluateAll((all, v) => { for (const e of all) e.value = v; }, value);
  await token("of another session");
  await text.fill("Second {{otp_code}}.");
  await said.getByText("This form has expired.").waitFor();
  assert.equal(await shown.locator("header, nav, h1").count(), 0, "a page within the page");
  assert.equal(await text.inputValue(), "Second {{otp_code}}.");
  await token(whole);
  await text.fill("Third {{otp_code}}.");
  await shown.getByText("Third").first().waitFor();
  await said.waitFor({ state: "hidden" });
  await page.context().setOffline(true);
  await text.fill("Fourth {{otp_code}}.");
  await said.getByText("The server did not answer.").waitFor();
  await page.context().setOffline(false);
  await text.fill("Fifth {{otp_code}}.");
  await shown.getByText("Fifth").first().waitFor();
  await said.waitFor({ state: "hidden" });
  await page.goto(base(link) + "/templates");
}

// letter: a dead letter is replayed by a click.
async function letter(world, { link }) {
  const page = await world.open();
  await enter(page, link);
  await page.getByRole("link", { name: "Callbacks" }).click();
  await page.getByRole("row", { name: /127\.0\.0\.1/ }).getByRole("link").click();
  await page.getByRole("link", { name: /^Dead letters/ }).click();
  const letters = page.getByTestId("letter");
  await letters.first().waitFor();
  await page.waitForLoadState(); // all of them
  const dead = await letters.count();
  await letters.first().getByRole("button", { name: "Replay" }).click();
  await until(async () => {
    await page.getByRole("link", { name: /^Dead letters/ }).click();
    await page.waitForLoadState();
    return await letters.count() === dead - 1;
  }, "the dead letter stays");
  await page.getByRole("button", { name: "Send a test event" }).click();
  await page.getByTestId("test-result").filter({ hasText: "was received" }).waitFor();
  // A new secret shows once; the one before goes on beside it.
  const before = await page.getByTestId("secret-now").innerText();
  await page.getByText("New secret…").click();
  await page.getByRole("button", { name: "Make a new secret" }).click();
  await page.getByTestId("secret").filter({ hasText: /^whsec_/ }).waitFor();
  await page.getByRole("link", { name: "I have it" }).click();
  assert.ok((await page.getByTestId("secret-before").innerText()).includes(before.match(/[0-9a-f]{8,}/)[0]), "the old secret is not said to sign on");
  assert.equal(await page.getByText("whsec_").count(), 0, "a secret shows twice");
  return { dead };
}

// key: a key shows once, works, and is revoked.
async function key(world, { link, server }) {
  const page = await world.open();
  await enter(page, link);
  await page.getByRole("link", { name: "Keys" }).click();
  await page.getByLabel("Name").fill("browser test");
  await page.getByRole("button", { name: "Make a key" }).click();
  const made = (await page.getByTestId("api-key").innerText()).trim();
  const asked = () => fetch(server + "/2fa/v4/profiles", { headers: { apiKey: made } }).then(a => a.status);
  assert.equal(await asked(), 200);
  await page.getByRole("link", { name: "I have it" }).click();
  assert.ok(!(await page.content()).includes(made), "a key shows twice");
  const row = page.getByTestId("key").filter({ hasText: "browser test" });
  await row.getByText("Revoke…").click();
  await row.getByRole("button", { name: "Revoke the key" }).click();
  await row.getByText(/revoked/i).first().waitFor();
  await until(async () => await asked() !== 200, "a revoked key works");
  // Each of it is in the audit list, which proves itself.
  await page.getByRole("link", { name: "Audit" }).click();
  for (const action of ["key.create", "key.revoke"]) await page.getByTestId("audit-entry").filter({ hasText: action }).first().waitFor();
  await page.getByTestId("proof").filter({ hasText: /Verified .* head/ }).waitFor(); // a short list without being asked
}

module.exports = { key, letter, template };
