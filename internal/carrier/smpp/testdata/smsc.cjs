// A message centre made of npm's smpp, for the tests of this package. It takes
// commands as lines of JSON on its standard input and answers each with one on
// its standard output. What happens is kept by system_id, so that many tests
// share one process. Arguments: none, or files of a key and a certificate.
'use strict';
const fs = require('fs');
const readline = require('readline');
const smpp = require('smpp');

const customers = new Map();
let nextID = 0;

function customer(name) {
  if (!customers.has(name)) customers.set(name, { script: [], submits: [], sessions: new Set() });
  return customers.get(name);
}

function seen(pdu) {
  const m = pdu.short_message || {};
  const payload = pdu.message_payload;
  return {
    source: [pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr],
    dest: [pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr],
    esm: pdu.esm_class, coding: pdu.data_coding, registered: pdu.registered_delivery,
    // The library reads a relative time as a Date: what is left of it in seconds.
    validity: pdu.validity_period instanceof Date ? Math.round((pdu.validity_period - Date.now()) / 1000) : -1,
    text: String(m.message !== undefined ? m.message : ''),
    udh: m.udh ? m.udh.map((h) => Buffer.from(h).toString('hex')) : [],
    payload: payload ? String(payload.message !== undefined ? payload.message : payload) : '',
    reference: pdu.user_message_reference,
    entity: pdu[0x1400] ? Buffer.from(pdu[0x1400]).toString() : '', // a vendor's parameter
    sar: [pdu.sar_msg_ref_num, pdu.sar_total_segments, pdu.sar_segment_seqnum].map((v) => (v === undefined ? -1 : v)),
  };
}

function onSession(session) {
  session.on('error', () => {});
  for (const bind of ['bind_transceiver', 'bind_transmitter', 'bind_receiver']) {
    session.on(bind, (pdu) => {
      if (pdu.password !== 'secret') {
        session.send(pdu.response({ command_status: smpp.ESME_RINVPASWD }));
        session.close();
        return;
      }
      session.customer = customer(pdu.system_id);
      session.hears = bind !== 'bind_transmitter';
      session.customer.sessions.add(session);
      session.on('close', () => session.customer.sessions.delete(session));
      session.send(pdu.response({ system_id: 'npm' }));
    });
  }
  session.on('submit_sm', (pdu) => {
    const c = session.customer;
    const known = seen(pdu);
    if (!c.quiet) c.submits.push(known);
    const next = c.script.length ? c.script.shift() : 0;
    if (next === 'silence') return;
    if (next === 'drop') {
      session.destroy();
      return;
    }
    if (next !== 0) {
      session.send(pdu.response({ command_status: next }));
      return;
    }
    nextID += 1;
    known.id = 'npm-' + nextID;
    session.send(pdu.response({ message_id: known.id }));
    if (c.auto) receipt(c, { message: known.id, stat: c.auto }, () => {});
  });
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => {
    session.send(pdu.response());
    session.close();
  });
}

const states = { ENROUTE: 1, DELIVRD: 2, EXPIRED: 3, DELETED: 4, UNDELIV: 5, ACCEPTD: 6, UNKNOWN: 7, REJECTD: 8 };

function receipt(c, q, answer) {
  const session = [...c.sessions].find((s) => s.hears);
  if (!session) {
    answer({ status: -1 });
    return;
  }
  const pdu = { esm_class: 4, source_addr: '491712345678', destination_addr: 'Acme' };
  if (q.byTLV) {
    Object.assign(pdu, { receipted_message_id: q.message, message_state: states[q.stat], short_message: '' });
  } else {
    pdu.short_message = `id:${q.message} sub:001 dlvrd:001 submit date:2611220034 done date:2611220035 stat:${q.stat} err:000 text:Your code`;
  }
  session.deliver_sm(pdu, (resp) => answer({ status: resp.command_status }));
}

const commands = {
  script(c, q, answer) {
    c.script = q.answers;
    answer({});
  },
  // Every message that is taken from now on gets a receipt at once.
  auto(c, q, answer) {
    c.auto = q.stat;
    answer({});
  },
  quiet(c, q, answer) {
    c.quiet = true;
    answer({});
  },
  submits(c, q, answer) { answer({ submits: c.submits }); },
  bound(c, q, answer) { answer({ count: c.sessions.size }); },
  receipt,
  drop(c, q, answer) {
    for (const s of [...c.sessions]) s.destroy();
    answer({});
  },
};

const [keyFile, certFile] = process.argv.slice(2);
const options = keyFile ? { key: fs.readFileSync(keyFile), cert: fs.readFileSync(certFile) } : {};
const server = smpp.createServer(options, onSession);
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ id: 0, port: server.address().port })));

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const q = JSON.parse(line);
  commands[q.command](customer(q.customer), q, (result) => console.log(JSON.stringify({ id: q.id, ...result })));
}).on('close', () => process.exit(0));
