//! The modules of a crate, from its source files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::Visit;
use syn::{Attribute, Expr, Item, ItemMod, Lit, Meta};

use crate::imports::{Collector, Import};

/// A module, by its place in [`Crate::modules`].
pub type Id = usize;

/// A module of a crate.
#[derive(Debug, Default)]
pub struct Module {
    /// The names from the crate's root to the module; empty for the root itself.
    pub names: Vec<String>,
    /// The module around it; None for the root.
    pub parent: Option<Id>,
    /// The modules in it, by their names.
    pub children: BTreeMap<String, Id>,
    /// The names of its items.
    pub items: BTreeSet<String>,
    /// Its `use` declarations.
    pub imports: Vec<Import>,
    /// The paths in its code.
    pub paths: Vec<Vec<String>>,
}

/// A crate. Its root is the first module.
#[derive(Debug, Default)]
pub struct Crate {
    pub modules: Vec<Module>,
}

/// Where a module's text is.
struct Place<'a> {
    /// The folder of its file.
    file_folder: &'a Path,
    /// The folder of the files of the modules in it.
    child_folder: PathBuf,
}

impl Crate {
    /// Reads the crate whose root is in `file`.
    pub fn read(file: &Path) -> Self {
        let mut read = Self::default();
        let folder = file.parent().unwrap();
        let place = Place { file_folder: folder, child_folder: folder.to_owned() };
        read.add(Module::default(), &items(file), &place);
        read
    }

    /// Returns the places of all modules.
    pub fn ids(&self) -> impl Iterator<Item = Id> {
        0..self.modules.len()
    }

    /// Returns the modules around a module, from the root to the module itself.
    pub fn lineage(&self, id: Id) -> Vec<Id> {
        let mut lineage: Vec<Id> = std::iter::successors(Some(id), |id| self.modules[*id].parent).collect();
        lineage.reverse();
        lineage
    }

    fn add(&mut self, module: Module, items: &[Item], place: &Place<'_>) -> Id {
        let id = self.modules.len();
        self.modules.push(module);
        let mut collector = Collector::default();
        for item in items.iter().filter(|item| !is_for_tests(attributes(item))) {
            self.modules[id].items.extend(name(item));
            match item {
                Item::Mod(child) => self.add_child(id, child, place),
                item => collector.visit_item(item),
            }
        }
        self.modules[id].imports = collector.imports;
        self.modules[id].paths = collector.paths;
        id
    }

    fn add_child(&mut self, parent: Id, child: &ItemMod, place: &Place<'_>) {
        let name = child.ident.to_string();
        let names = [self.modules[parent].names.as_slice(), std::slice::from_ref(&name)].concat();
        let module = Module { names, parent: Some(parent), ..Module::default() };
        let below = place.child_folder.join(&name);
        let id = if let Some((_, items)) = &child.content {
            self.add(module, items, &Place { file_folder: place.file_folder, child_folder: below })
        } else {
            let (file, child_folder) = match chosen_file(&child.attrs) {
                Some(file) => {
                    let file = place.file_folder.join(file);
                    let folder = file.parent().unwrap().to_owned();
                    (file, folder)
                }
                None if below.with_extension("rs").exists() => (below.with_extension("rs"), below),
                None => (below.join("mod.rs"), below),
            };
            self.add(module, &items(&file), &Place { file_folder: file.parent().unwrap(), child_folder })
        };
        self.modules[parent].children.insert(name, id);
    }
}

fn items(file: &Path) -> Vec<Item> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display())).items
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        _ => return None,
    };
    Some(name.to_string())
}

/// Whether an item has `#[cfg(test)]`.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    })
}

/// Returns the file that `#[path = "…"]` names.
fn chosen_file(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })
}
