---What rules decided; a rule that returns nothing has no opinion.
---@class hookd.verdict

---A hook point: what `on` takes.
---@class hookd.point

---A hook point that a script declared.
---@class hookd.user_point: hookd.point

---Native plain data that outlives a VM: tables are copied in when they are assigned, nested ones are
---read by reference; pairs, # and table.insert work on it.
---@class hookd.record
---@field [any] any

---@class hookd.script.decl
---@field doc? string What the script is for.
---@field tags? string[]
---@field shards? "each" Globals and outer locals may change in handlers: each shard has its own.
---@field state_version? integer Raise it when the form of `state` changes.
---@field migrate? fun(old: hookd.record, from: integer) Fills `state` from the older form.

---Says what holds for the whole file.
---@param decl hookd.script.decl
function script(decl) end

---@class hookd.threshold
---@field by? string Path of the key that is counted, such as "client.ip"; absent counts all together.
---@field count integer How many matches it takes.
---@field within number|string In which time, such as "10s".
---@field fire? "once"|"each" Run once a key and window, or at each match from then on.

---@class hookd.rule.decl
---@field on hookd.point|hookd.point[] Where it runs.
---@field scope? string What the connection's own key decides, as in pcap-filter: "dst port 5060".
---@field match? table Nested like the fields, from the subject: { client = { port = 80 } }.
---@field when? fun(...): any Any Lua without effects.
---@field threshold? hookd.threshold
---@field run? fun(...): hookd.verdict? The handler.
---@field verdict? hookd.verdict A decision instead of a handler.
---@field on_error? hookd.verdict What is decided when the handler fails.
---@field priority? integer Higher runs first; 0 when absent.
---@field mode? "observe" Record what would have been decided.
---@field always? boolean Run after the decision too; cannot decide.
---@field enabled? boolean
---@field overlap? "first"|"last"|hookd.overlap Which copy holds of bytes that are sent twice, on connections in the rule's scope that begin from now on. The first rule that says so decides.
---@field doc? string
---@field severity? string
---@field tags? string[]

---@class hookd.overlap
---@field client? "first"|"last" Of what the client sends.
---@field server? "first"|"last" Of what the server sends.

---A rule that can be switched off and on while the script runs.
---@class hookd.rule
local rule_handle = {}

---Switches the rule off until it is switched on or its script changes.
---@return true? done
---@return string? message
function rule_handle:off() end

---Switches the rule on again.
---@return true? done
---@return string? message
function rule_handle:on() end

---A handler that a script declared: it runs where it is bound.
---@class hookd.handler: hookd.rule

---Declares a rule. A handler that returns `rule.off` is unbound from what it was called for.
---@class hookd.rules
---@field off hookd.verdict
---@overload fun(name: string): fun(decl: hookd.rule.decl): hookd.rule
rule = {}

---@class hookd.handler.decl
---@field on? hookd.point|hookd.point[] Where it may be bound; absent: it is for timers.
---@field match? table Nested like the fields, from the subject: { client = { port = 80 } }.
---@field when? fun(...): any Any Lua without effects.
---@field threshold? hookd.threshold
---@field run? fun(...): hookd.verdict? What is called.
---@field verdict? hookd.verdict A decision instead of a function.
---@field on_error? hookd.verdict What is decided when the function fails.
---@field priority? integer Higher runs first; 0 when absent.
---@field mode? "observe" Record what would have been decided.
---@field doc? string
---@field severity? string
---@field tags? string[]

---Declares a handler: a rule that applies only where a running handler binds it.
---@param name string
---@return fun(decl: hookd.handler.decl): hookd.handler
function handler(name) end

---@class hookd.event.decl
---@field on? hookd.point The hook point that it refines; absent: it is only raised.
---@field match? table
---@field when? fun(...): any
---@field doc? string

---Declares an event; every script finds it as event.NAME.
---@class hookd.events
---@field [string] hookd.user_point
---@overload fun(name: string): fun(decl: hookd.event.decl): hookd.user_point
event = {}

---@class hookd.timer.decl
---@field every? number|string Time between runs, such as "60s".
---@field after? number|string Time to the first run.
---@field run fun()
---@field doc? string

---Declares a timer.
---@param name string
---@return fun(decl: hookd.timer.decl)
function timer(name) end

---@class hookd.store.decl
---@field kind "set"|"map"|"counter"
---@field key? "any"|"string"|"number"|"ip"|"cidr"|"endpoint"
---@field ttl? number|string Life of an entry, such as "10m".
---@field max? integer Most entries; 100000 when absent.
---@field max_bytes? number|string Most memory, such as "1MiB"; 64 MiB when absent.
---@field evict? "refuse"|"oldest" What a full store does; refuse when absent.
---@field file? string A file beside the script, an entry a line, which fills the store; scripts only read it.
---@field persist? boolean The store is kept over restarts, where there is a state directory.

---A named table that all scripts and shards share.
---@class hookd.store
local store_handle = {}

---Adds a key to a set.
---@param key any
---@param ttl? number|string
---@return boolean? added
---@return string? message
function store_handle:add(key, ttl) end

---Tells whether a key is there.
---@param key any
---@return boolean
function store_handle:has(key) end

---Takes a key out.
---@param key any
---@return boolean? removed
---@return string? message
function store_handle:remove(key) end

---Puts a value under a key of a map: plain data.
---@param key any
---@param value any
---@param ttl? number|string
---@return boolean? done
---@return string? message
function store_handle:put(key, value, ttl) end

---Reads the value of a map or the number of a counter.
---@param key any
---@return any value
function store_handle:get(key) end

---Adds n to the number of a counter and returns the sum; the entry's life begins with its first number.
---@param key any
---@param n? number
---@param ttl? number|string
---@return number? sum
---@return string? message
function store_handle:incr(key, n, ttl) end

---Takes a counter's number out and returns what it was.
---@param key any
---@return number
function store_handle:reset(key) end

---How many entries there are.
---@return integer entries
function store_handle:size() end

---Takes everything out.
---@return integer entries How many there were.
function store_handle:clear() end

---Walks the entries in the order in which they came.
---@return fun(): any, any
function store_handle:each() end

---Declares a store, or names one that another script declares.
---@param name string
---@return fun(decl: hookd.store.decl): hookd.store
function store(name) end

---This script's own data, the same in all shards; survives a reload.
---@class hookd.state: hookd.record
state = {}

---Adds n to a number, at once for all shards, and returns the sum.
---@param key string
---@param n? number
---@return number
function state:incr(key, n) end

---Raises an event that was declared without a base, or at the base's hook point.
---@param point hookd.point
---@param fields? table
---@return true? done
---@return string? message
function raise(point, fields) end

---@class hookd.test A test of a field in `match`.

---The words of `match`.
---@class hookd.is
is = {}

---Equal to one of the values; a plain list means the same.
---@return hookd.test
function is.one_of(...) end

---Equal to none of the values.
---@return hookd.test
function is.none_of(...) end

---Not equal to the value.
---@return hookd.test
function is.ne(value) end

---Text that starts with one of the values.
---@return hookd.test
function is.prefix(...) end

---Text that ends with one of the values.
---@return hookd.test
function is.suffix(...) end

---Text that has one of the values in it.
---@return hookd.test
function is.contains(...) end

---Text that is as a whole like one of the values: *, ?, [a-z].
---@return hookd.test
function is.glob(...) end

---Text in which one of the values is found (RE2 syntax).
---@return hookd.test
function is.regex(...) end

---Address in one of the networks.
---@return hookd.test
function is.cidr(...) end

---From the first value to the second, both included.
---@param from any
---@param to any
---@return hookd.test
function is.range(from, to) end

---Greater than the value.
---@return hookd.test
function is.gt(value) end

---Greater than the value or equal to it.
---@return hookd.test
function is.ge(value) end

---Less than the value.
---@return hookd.test
function is.lt(value) end

---Less than the value or equal to it.
---@return hookd.test
function is.le(value) end

---There is a value; present(false): there is none.
---@param there? boolean
---@return hookd.test
function is.present(there) end

---Returns what a module returned, which runs once in each script that requires it: a Lua file in a folder
---lib beside the script, or beside a folder above it. A module holds functions and data and declares nothing.
---@param name string Such as "net.http" for lib/net/http.lua.
---@return any value What the module returned; true where it returned nothing.
function require(name) end

---Reads a JSON file as a read-only record; when the file changed, a reload runs the script again.
---@param name string The file, relative to the script, inside the folder of the scripts.
---@return hookd.record content Its outermost value is an object or a list; null means that a key is not there.
function data(name) end

---Sets what holds for all scripts. It stands in hookd.lua at the root of the scripts, alone; flags override it,
---and hookd check --settings shows what holds and why.
---@class hookd.settings.decl
---@field observe? boolean Every rule records what it would decide and decides nothing.
---@field limits? table<string, number|string> Limits by name, as hookd doc limits lists them.
---@field flow? table<string, boolean|number|string|string[]> Settings of the flow stack by name, as hookd doc settings lists them.
---@field never_block? string|string[] Addresses and prefixes that flow.block refuses; the same as in flow = { never_block = … }.

---@param decl hookd.settings.decl
function settings(decl) end

---What this has at every hook point.
---@class hookd.call
---@field event string Name of the event, such as "flow.rexmit".
---@field phase string? Phase of the hook point, such as "rcv".
---@field ts number Event time, seconds since the epoch.
---@field rule string Name of the rule.
---@field gen integer Generation that is live.
---@field count integer How often the rule matched, this time included.
---@field verdict hookd.verdict? What was decided before, for rules that run always.
---@field data any What came with a raised event.
---@field param any What the handler was bound with.
