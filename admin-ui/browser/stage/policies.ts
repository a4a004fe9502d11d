/** Policies that the tests begin with. */

/** A mailbox: people read, other servers deliver when there is room, lists come from the cache. */
export const mail = (url: string): string => `# Mail: people first, deliveries when there is room.
version: 1

pool: { total: 100, unreserved_min: 20 }   # the whole gateway

upstreams:
  mailbox:
    endpoints: [${url}]
    timeout: { connect: 1s, response: 10s }
    signals: { source: actuator, every: 200ms }

functions:
  mail-receive: { upstream: mailbox, reserved: 30 }   # deliveries
  reports: { upstream: mailbox }

routes:
  # Other servers queue and come back.
  mail-receive:
    match: { methods: [POST], path: /mail/receive/** }
    function: mail-receive
    class: batch
    admission:
      workers: { enter: 85%, exit: 75% }   # of Tomcat's threads
      rps: { limit: 200, burst: 40 }
  mail-list:
    match: { methods: [GET], path: /mail/list/** }
    upstream: mailbox
    cache: { fresh_for: 10m }
  # A person waits: never shed.
  mail-read:
    match: { methods: [GET], path: /mail/read/** }
    upstream: mailbox
  # Answered when the service is let.
  reports:
    match: { methods: [GET], path: /hold/** }
    function: reports
    class: default
`;

/** A feed of which one call in a minute's worth is let through: refusals come at once. */
export const tight = (url: string): string => `version: 1
upstreams:
  feed: { endpoints: [${url}] }
routes:
  feed:
    match: { path: /feed/** }
    upstream: feed
    class: bulk
    admission: { rps: { limit: 1, burst: 1 } }
`;

/** Names as long as they can be, in shadow mode. */
export const long = (url: string): string => `version: 1
upstreams:
  warehouse-inventory-reconciliation-service.internal: { endpoints: [${url}] }
functions:
  nightly-inventory-reconciliation-of-every-warehouse: { upstream: warehouse-inventory-reconciliation-service.internal, reserved: 5 }
routes:
  nightly-inventory-reconciliation-of-every-warehouse-in-a-region:
    match: { methods: [POST, PUT, PATCH], path: /warehouse/v2/regions/*/inventory/reconciliation/** }
    function: nightly-inventory-reconciliation-of-every-warehouse
    class: bulk
    admission: { mode: shadow, rps: { limit: 1, burst: 1 } }
`;

/** The least there is: everything goes to one service; no function, no cache, no threshold. */
export const plain = (url: string): string => `version: 1
upstreams:
  first: { endpoints: [${url}] }
routes:
  everything:
    match: { path: /** }
    upstream: first
`;
