//! The cycles between the modules of a crate.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use crate::tree::{Crate, Id};

/// Returns every set of modules of one folder that import each other, with the paths by which they do.
pub fn cycles(of: &Crate) -> Vec<String> {
    let mut graphs: BTreeMap<Id, DiGraphMap<Id, ()>> = BTreeMap::new();
    let mut reasons: BTreeMap<(Id, Id), BTreeSet<String>> = BTreeMap::new();
    for user in of.ids() {
        for (used, path) in of.uses(user) {
            let Some((folder, from, to)) = siblings(of, user, used) else { continue };
            graphs.entry(folder).or_default().add_edge(from, to, ());
            reasons.entry((from, to)).or_default().insert(format!("{path} in {}", name(of, user)));
        }
    }
    let components = graphs.values().flat_map(tarjan_scc).filter(|component| component.len() > 1);
    components.map(|component| told(of, &component, &reasons)).collect()
}

/// Returns the module around both modules, and the two modules in it that they are or belong to; `None` if one of them
/// is around the other.
fn siblings(of: &Crate, one: Id, other: Id) -> Option<(Id, Id, Id)> {
    let (one, other) = (of.lineage(one), of.lineage(other));
    let shared = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
    Some((*one.get(shared.checked_sub(1)?)?, *one.get(shared)?, *other.get(shared)?))
}

fn told(of: &Crate, component: &[Id], reasons: &BTreeMap<(Id, Id), BTreeSet<String>>) -> String {
    let inside = reasons.iter().filter(|((from, to), _)| component.contains(from) && component.contains(to));
    let lines = inside.map(|((from, to), paths)| {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        format!("  {} -> {}: {}", name(of, *from), name(of, *to), paths.join(", "))
    });
    let names: Vec<String> = component.iter().map(|id| name(of, *id)).collect();
    format!("{} import each other:\n{}", names.join(", "), lines.collect::<Vec<_>>().join("\n"))
}

fn name(of: &Crate, id: Id) -> String {
    of.modules[id].names.join("::")
}
