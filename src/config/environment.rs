//! What the environment says: about pools of ours, and to other programs.

use crate::config::error::Fault;
use crate::config::file::{misfit_message, unknown_message};
use crate::config::nearest::nearest;
use crate::config::origin::Origin;
use crate::config::pools::{Pools, name_fault, variable};
use crate::config::settings::KEYS;
use crate::config::value::{Bind, Given, Misfit, Pin, Value, Workers};

/// Variables and their values.
pub(super) type Variables = [(String, String)];

const PREFIX: &str = "GRISTMILL_POOL_";

/// Sets what the variables `GRISTMILL_POOL_<NAME>_<KEY>` say. They may name pools that nobody else has.
pub(super) fn read(variables: &Variables, pools: &mut Pools, faults: &mut Vec<Fault>) {
    let mut ours: Vec<_> = variables.iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    ours.sort();
    for (name, value) in ours {
        let fault =
            |key: String, message: String| Fault { origin: Origin::Variable(name.clone()), key, message };
        let rest = &name[PREFIX.len()..];
        let known = pools.0.iter().filter(|pool| rest.starts_with(&format!("{}_", variable(&pool.name))));
        let known = known.max_by_key(|pool| pool.name.len()).map(|pool| pool.name.clone());
        let (pool, key) = match known {
            Some(pool) => {
                let key = rest[pool.len() + 1..].to_lowercase();
                (pool, key)
            }
            None => {
                let ending = |key: &&str| rest.to_lowercase().ends_with(&format!("_{key}"));
                let key = KEYS.iter().map(|key| key.name).filter(ending).max_by_key(|key| key.len());
                let Some(key) = key else {
                    let last = rest.rsplit('_').next().unwrap_or(rest).to_lowercase();
                    let guess = nearest(&last, KEYS.iter().map(|key| key.name));
                    let guess = guess.map_or(String::new(), |guess| format!("; did you mean `{guess}`?"));
                    let message = format!(
                        "it ends in no key of a pool{guess} (expected GRISTMILL_POOL_<NAME>_<KEY>, such as GRISTMILL_POOL_COMPUTE_WORKERS)"
                    );
                    faults.push(fault(last, message));
                    continue;
                };
                let pool = rest[..rest.len() - key.len() - 1].to_lowercase();
                if let Some(message) = name_fault(&pool) {
                    faults.push(fault(format!("pool.{pool}"), message));
                    continue;
                }
                (pool, key.to_owned())
            }
        };
        let given = Given::Raw(value.clone());
        let full = format!("pool.{pool}.{key}");
        match pools.entry(&pool).take(&key, &given, Origin::Variable(name.clone())) {
            Some(Ok(())) => {}
            Some(Err(misfit)) => faults.push(fault(full, misfit_message(&pool, &key, &given, &misfit))),
            None => faults.push(fault(full, unknown_message(&pool, &key))),
        }
    }
}

/// Sets what nobody has set by the variables that speak of all pools, and then by those that are meant for other
/// programs. What makes no sense among the latter goes to `notes`.
pub(super) fn fall_back(
    variables: &Variables,
    pools: &mut Pools,
    faults: &mut Vec<Fault>,
    notes: &mut Vec<String>,
) {
    let get = |name: &str| {
        variables
            .iter()
            .find(|(known, value)| known == name && !value.trim().is_empty())
            .map(|(_, value)| value.as_str())
    };
    for (name, key) in
        [("GRISTMILL_NUM_THREADS", "workers"), ("GRISTMILL_PLACES", "places"), ("GRISTMILL_BIND", "bind")]
    {
        let Some(value) = get(name) else { continue };
        for pool in &mut pools.0 {
            if pool
                .settings
                .shown()
                .iter()
                .any(|(known, _, origin)| *known == key && **origin != Origin::Default)
            {
                continue;
            }
            let origin = Origin::Fallback(name.to_owned());
            let given = Given::Raw(value.to_owned());
            if let Some(Err(misfit)) = pool.take(key, &given, origin) {
                let message = misfit_message(&pool.name, key, &given, &misfit);
                faults.push(Fault {
                    origin: Origin::Variable(name.to_owned()),
                    key: key.to_owned(),
                    message,
                });
                break;
            }
        }
    }
    foreign(&get, pools, notes);
}

/// The variables of OpenMP, rayon and Slurm: they speak of a program that has one pool.
fn foreign<'a>(get: &impl Fn(&str) -> Option<&'a str>, pools: &mut Pools, notes: &mut Vec<String>) {
    let [pool] = &mut pools.0[..] else {
        let names =
            ["OMP_NUM_THREADS", "OMP_PLACES", "OMP_PROC_BIND", "RAYON_NUM_THREADS", "SLURM_CPUS_PER_TASK"];
        for name in names.into_iter().filter(|name| get(name).is_some() && pools.0.len() > 1) {
            notes.push(format!(
                "{name} is passed over: it speaks of one pool, and there are {}",
                pools.0.len()
            ));
        }
        return;
    };
    let settings = &mut pool.settings;
    let origin = |name: &str| Origin::Fallback(name.to_owned());
    let first = |value: &'a str| value.split(',').next().unwrap_or(value).trim();
    for name in ["OMP_NUM_THREADS", "RAYON_NUM_THREADS", "SLURM_CPUS_PER_TASK"] {
        let Some(value) = get(name) else { continue };
        // rayon's way to say that it may choose.
        if !settings.workers.is_default() || (name == "RAYON_NUM_THREADS" && value.trim() == "0") {
            continue;
        }
        // OpenMP has one number for each level of nesting.
        match Workers::read(&Given::Raw(first(value).to_owned())) {
            Ok(workers @ Workers::Count(_)) => settings.workers.set(workers, origin(name)),
            _ => {
                notes.push(format!("{name}={value:?} is passed over: expected a whole number from 1 to 8192"))
            }
        }
    }
    let mut bound = true;
    if let Some(value) = get("OMP_PROC_BIND") {
        let word = first(value).to_ascii_lowercase();
        let bind = match word.as_str() {
            "true" => Some(None),
            "false" => {
                bound = false;
                Some(None)
            }
            "close" => Some(Some(Bind::Close)),
            "spread" => Some(Some(Bind::Spread)),
            "primary" | "master" => Some(Some(Bind::Primary)),
            _ => None,
        };
        match bind {
            Some(bind) => {
                if settings.pin.is_default() {
                    let pin = if bound { Pin::Place } else { Pin::None };
                    settings.pin.set(pin, origin("OMP_PROC_BIND"));
                }
                if let Some(bind) = bind.filter(|_| settings.bind.is_default()) {
                    settings.bind.set(bind, origin("OMP_PROC_BIND"));
                }
            }
            None => notes.push(format!(
                "OMP_PROC_BIND={value:?} is passed over: expected true, false, close, spread or primary"
            )),
        }
    }
    if let Some(value) = get("OMP_PLACES").filter(|_| bound && settings.places.is_default()) {
        match Value::read(&Given::Raw(value.to_owned())) {
            Ok(places) => settings.places.set(places, origin("OMP_PLACES")),
            Err(Misfit::Within(error)) => notes.push(format!("OMP_PLACES={value:?} is passed over: {error}")),
            Err(Misfit::Unexpected) => notes.push(format!("OMP_PLACES={value:?} is passed over")),
        }
    }
}
