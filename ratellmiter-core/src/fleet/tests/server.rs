//! A server that runs the script with a virtual clock.
//!
//! By default it is an embedded Lua interpreter of the same version as in Redis, with the few commands that the script calls. With
//! `RATELLMITER_FLEET_TESTS=redis` in the environment it is a real Redis server, and the tests are some ten times slower.

use std::{env, time::Duration};

use mlua::{Function, Lua, Table, Value};
use redis::{Client, Connection, Script};
use serde_json::{Map, Number, Value as Json};

use super::super::script;

#[path = "../../../tests/support/redis.rs"]
mod real;

/// The server's clock at the start of each test, in seconds since the epoch.
const START: u64 = 1_000_000_000;
const KEY: &str = "{a}";

pub(super) enum Server {
    Embedded { lua: Lua, script: Function },
    Real { connection: Box<Connection>, script: Script, _redis: real::Redis },
}

impl Server {
    pub(super) fn start() -> Self {
        if env::var("RATELLMITER_FLEET_TESTS").is_ok_and(|server| server == "redis") {
            Self::real()
        } else {
            Self::embedded().unwrap()
        }
    }

    fn embedded() -> mlua::Result<Self> {
        let lua = Lua::new();
        let globals = lua.globals();
        let cjson = lua.create_table()?;
        cjson.set(
            "decode",
            lua.create_function(|lua, text: String| decode(lua, &serde_json::from_str(&text).unwrap()))?,
        )?;
        cjson.set("encode", lua.create_function(|_, value: Value| Ok(encode(&value).to_string()))?)?;
        globals.set("cjson", cjson)?;
        globals.set("KEYS", [KEY])?;
        lua.load(include_str!("server.lua")).set_name("=server").exec()?;
        let script = lua.load(script::step()).set_name("=script").into_function()?;
        Ok(Self::Embedded { lua, script })
    }

    fn real() -> Self {
        let redis = real::Redis::start();
        let connection = Box::new(Client::open(redis.url()).unwrap().get_connection().unwrap());
        let clock = "redis.call('TIME')";
        let step = script::step();
        assert_eq!(step.matches(clock).count(), 1, "the script reads its clock once");
        let script = Script::new(&step.replace(clock, "{ ARGV[2], ARGV[3] }"));
        Self::Real { connection, script, _redis: redis }
    }

    /// Runs the script once at `now` and returns its reply.
    pub(super) fn step(&mut self, now: Duration, message: &str) -> String {
        let clock = [START + now.as_secs(), now.subsec_micros().into()].map(|number| number.to_string());
        match self {
            Self::Embedded { lua, script } => {
                lua.globals().set("CLOCK", clock).unwrap();
                lua.globals().set("ARGV", [message]).unwrap();
                match script.call(()).unwrap() {
                    Value::String(reply) => reply.to_str().unwrap().to_owned(),
                    reply => panic!("{reply:?}"),
                }
            }
            Self::Real { connection, script, .. } => {
                script.key(KEY).arg(message).arg(&clock[..]).invoke(&mut **connection).unwrap()
            }
        }
    }

    /// Deletes everything.
    pub(super) fn clear(&mut self) {
        match self {
            Self::Embedded { lua, .. } => lua.globals().get::<Function>("clear").unwrap().call(()).unwrap(),
            Self::Real { connection, .. } => redis::cmd("FLUSHALL").exec(&mut **connection).unwrap(),
        }
    }
}

fn decode(lua: &Lua, json: &Json) -> mlua::Result<Value> {
    Ok(match json {
        Json::Null => Value::NULL,
        Json::Bool(value) => Value::Boolean(*value),
        Json::Number(number) => Value::Number(number.as_f64().unwrap()),
        Json::String(text) => Value::String(lua.create_string(text)?),
        Json::Array(items) => {
            let table = lua.create_table()?;
            items.iter().try_for_each(|item| table.push(decode(lua, item)?))?;
            Value::Table(table)
        }
        Json::Object(fields) => {
            let table = lua.create_table()?;
            fields.iter().try_for_each(|(key, value)| table.set(key.as_str(), decode(lua, value)?))?;
            Value::Table(table)
        }
    })
}

/// Encodes like cjson: 14 significant digits, and an empty table is an object.
fn encode(value: &Value) -> Json {
    let number = |number: f64| {
        let rounded: f64 = format!("{number:.13e}").parse().unwrap();
        #[allow(clippy::cast_possible_truncation)] // 14 digits fit.
        let whole = (rounded.fract() == 0.0 && rounded.abs() < 1e14).then(|| Number::from(rounded as i64));
        Json::Number(whole.or_else(|| Number::from_f64(rounded)).expect("cjson rejects numbers that are not finite"))
    };
    match value {
        Value::Boolean(value) => Json::Bool(*value),
        #[allow(clippy::cast_precision_loss)]
        Value::Integer(integer) => number(*integer as f64),
        Value::Number(float) => number(*float),
        Value::String(text) => Json::String(text.to_str().unwrap().to_owned()),
        Value::Table(table) if table.raw_len() > 0 => {
            Json::Array(table.sequence_values::<Value>().map(|item| encode(&item.unwrap())).collect())
        }
        Value::Table(table) => Json::Object(fields(table)),
        value => panic!("cjson cannot encode {value:?}"),
    }
}

fn fields(table: &Table) -> Map<String, Json> {
    table.pairs::<String, Value>().map(|field| field.map(|(key, value)| (key, encode(&value))).unwrap()).collect()
}
