//! Follows the imports of a module to the modules that define what it uses.

use crate::tree::{Crate, Id};

/// What a path leads to: a module, or an item that a module defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Module(Id),
    ItemOf(Id),
}

/// Number of re-exports that are followed, so that a name that imports itself ends.
const LONGEST_CHAIN: u8 = 16;

impl Crate {
    /// Returns the modules whose items the module `id` uses, each with the path by which it does.
    pub fn uses(&self, id: Id) -> Vec<(Id, String)> {
        let module = &self.modules[id];
        let imports = module.imports.iter().map(|import| &import.path);
        // A path that begins with an imported name adds nothing to the import.
        let imported = |name: &String| module.imports.iter().any(|import| import.name.as_ref() == Some(name));
        let paths = module.paths.iter().filter(|path| path.len() > 1 && !path.first().is_some_and(imported));
        let found = imports.chain(paths).filter_map(|path| {
            let (Target::Module(used) | Target::ItemOf(used)) = self.resolve(id, path, LONGEST_CHAIN)?;
            Some((used, path.join("::")))
        });
        found.collect()
    }

    /// Follows a path from the module `from`; `None` if it leads out of the crate.
    fn resolve(&self, from: Id, path: &[String], chain: u8) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let mut target = match first.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(from),
            "super" => Target::Module(self.modules[from].parent?),
            name => self.member(from, name, chain)?,
        };
        for name in rest {
            let Target::Module(module) = target else { break };
            target = match name.as_str() {
                "super" => Target::Module(self.modules[module].parent?),
                name => self.member(module, name, chain).unwrap_or(Target::ItemOf(module)),
            };
        }
        Some(target)
    }

    /// Returns what a name means in a module.
    fn member(&self, module: Id, name: &str, chain: u8) -> Option<Target> {
        let chain = chain.checked_sub(1)?;
        let Self { modules } = self;
        if let Some(child) = modules[module].children.get(name) {
            return Some(Target::Module(*child));
        }
        if modules[module].items.contains(name) {
            return Some(Target::ItemOf(module));
        }
        let imports = &modules[module].imports;
        if let Some(import) = imports.iter().find(|import| import.name.as_deref() == Some(name)) {
            return self.resolve(module, &import.path, chain);
        }
        imports.iter().filter(|import| import.name.is_none()).find_map(|import| {
            match self.resolve(module, &import.path, chain)? {
                Target::Module(other) if other != module => self.member(other, name, chain),
                _ => None,
            }
        })
    }
}
