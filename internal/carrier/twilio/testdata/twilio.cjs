// Answers lines of JSON with what Twilio's own library makes of them:
//   {"sign": {"token", "url", "params"}}            -> {"signature"}
//   {"validate": {"token", "url", "params", "signature"}} -> {"valid"}
//   {"validate": {…, "body"}}                       -> {"valid"}, of a body of JSON
//   {"say": {"words", "attributes"}}                -> {"twiml"}
const twilio = require("twilio");
const { getExpectedTwilioSignature } = require("twilio/lib/webhooks/webhooks");
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const ask = JSON.parse(line);
  let answer = {};
  if (ask.sign) {
    answer.signature = getExpectedTwilioSignature(ask.sign.token, ask.sign.url, ask.sign.params);
  } else if (ask.validate) {
    const v = ask.validate;
    answer.valid = v.body === undefined
      ? twilio.validateRequest(v.token, v.signature, v.url, v.params)
      : twilio.validateRequestWithBody(v.token, v.signature, v.url, v.body);
  } else if (ask.say) {
    const response = new twilio.twiml.VoiceResponse();
    for (let i = 0; i < 2; i++) {
      response.pause({ length: 1 });
      response.say(ask.say.attributes, ask.say.words);
    }
    answer.twiml = response.toString();
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
});
