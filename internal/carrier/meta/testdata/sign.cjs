// Prints the X-Hub-Signature-256 of what it reads, by Node's own HMAC.
const crypto = require('node:crypto')
const body = require('node:fs').readFileSync(0)
console.log('sha256=' + crypto.createHmac('sha256', process.env.APP_SECRET).update(body).digest('hex'))
