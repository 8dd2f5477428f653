//! The Python classes of a message and how to reach their attributes, looked up once per message.
//!
//! Attributes are slots, so each has a member descriptor. Calling the descriptor's own functions spares the
//! search along the class for every attribute of every object.

use barnabas_protocol::generated::schemas;
use barnabas_protocol::table::{Default, Field, Schema, Struct, Type};
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyList, PyString, PyType};

use crate::uuid::Uuid;

/// The classes of one message.
pub(super) struct Classes {
    schema: &'static Schema,
    structs: Vec<Class>,
    zero_uuid: Py<PyAny>,
}

/// One class.
pub(super) struct Class {
    cls: Py<PyType>,
    slots: Vec<Slot>,
    defaults: Vec<Preset>,
}

/// The default of an attribute.
enum Preset {
    /// An immutable value that all objects share.
    Shared(Py<PyAny>),
    /// A new empty list.
    List,
    /// A new struct of defaults.
    Struct(&'static Struct),
}

/// An attribute of a class.
struct Slot {
    descriptor: Py<PyAny>,
    get: ffi::descrgetfunc,
    set: ffi::descrsetfunc,
}

static ALL: [PyOnceLock<Classes>; schemas::ALL.len()] = [const { PyOnceLock::new() }; schemas::ALL.len()];

impl Classes {
    /// The classes of a message; imports their module on first use.
    pub(super) fn of(py: Python<'_>, schema: &'static Schema) -> PyResult<&'static Classes> {
        let cell = ALL.get(schema.index).ok_or_else(|| PyTypeError::new_err("schema without a place"))?;
        cell.get_or_try_init(py, || Classes::load(py, schema))
    }

    fn load(py: Python<'_>, schema: &'static Schema) -> PyResult<Classes> {
        let module = py.import(format!("barnabas.protocol.generated.{}", schema.module))?;
        let zero_uuid = Bound::new(py, Uuid(barnabas_protocol::Uuid::ZERO))?.into_any().unbind();
        let structs = schema.structs.iter().map(|structure| {
            let cls = module.getattr(structure.name)?.cast_into::<PyType>()?;
            let slots = structure.fields.iter().map(|field| Slot::of(&cls, field.name));
            let defaults = structure.fields.iter().map(|field| Preset::of(py, field, &zero_uuid));
            Ok(Class {
                slots: slots.collect::<PyResult<_>>()?,
                defaults: defaults.collect::<PyResult<_>>()?,
                cls: cls.unbind(),
            })
        });
        Ok(Classes { schema, structs: structs.collect::<PyResult<_>>()?, zero_uuid })
    }

    /// Whether `cls` is the class of the message itself.
    pub(super) fn is_root(&self, cls: &Bound<'_, PyType>) -> bool {
        self.class(self.schema.root).cls.is(cls)
    }

    /// The class of a struct of this message.
    pub(super) fn class(&self, schema: &'static Struct) -> &Class {
        // The tables number the structs of a message; `load` made one class for each.
        &self.structs[schema.index]
    }

    /// The id of zeros, which most ids are.
    pub(super) fn zero_uuid<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.zero_uuid.bind(py).clone()
    }

    /// The default of the field at `index`.
    pub(super) fn default<'py>(
        &self,
        py: Python<'py>,
        schema: &'static Struct,
        index: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        match &self.class(schema).defaults[index] {
            Preset::Shared(value) => Ok(value.bind(py).clone()),
            Preset::List => Ok(PyList::empty(py).into_any()),
            Preset::Struct(nested) => {
                let class = self.class(nested);
                let object = class.allocate(py)?;
                for place in 0..class.slots.len() {
                    class.set(&object, place, &self.default(py, nested, place)?)?;
                }
                Ok(object)
            }
        }
    }
}

impl Class {
    /// A new object whose attributes are not set yet.
    pub(super) fn allocate<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: `cls` is a class made by Python code whose bases are such classes and `object`, so generic
        // allocation is what `object.__new__` does for it; its slots begin empty, which reading reports as
        // AttributeError. The result is a new reference, or null with an exception set.
        unsafe {
            let object = ffi::PyType_GenericAlloc(self.cls.as_ptr().cast(), 0);
            Bound::from_owned_ptr_or_err(py, object)
        }
    }

    /// Sets the attribute of the field at `index`.
    #[inline]
    pub(super) fn set(
        &self,
        object: &Bound<'_, PyAny>,
        index: usize,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let slot = &self.slots[index];
        // SAFETY: `set` is the tp_descr_set of the descriptor's own type; it checks that the object is of
        // the descriptor's class and takes a reference of its own to the value. The interpreter is attached.
        let status = unsafe { (slot.set)(slot.descriptor.as_ptr(), object.as_ptr(), value.as_ptr()) };
        if status == 0 {
            Ok(())
        } else {
            Err(PyErr::fetch(object.py()))
        }
    }

    /// The attribute of the field at `index`.
    #[inline]
    pub(super) fn get<'py>(&self, object: &Bound<'py, PyAny>, index: usize) -> PyResult<Bound<'py, PyAny>> {
        let slot = &self.slots[index];
        // SAFETY: `get` is the tp_descr_get of the descriptor's own type; it checks that the object is of the
        // descriptor's class and returns a new reference, or null with an exception set.
        unsafe {
            let value = (slot.get)(slot.descriptor.as_ptr(), object.as_ptr(), self.cls.as_ptr());
            Bound::from_owned_ptr_or_err(object.py(), value)
        }
    }
}

impl Slot {
    fn of(cls: &Bound<'_, PyType>, name: &str) -> PyResult<Slot> {
        let descriptor = cls.getattr(name)?;
        let kind = descriptor.get_type();
        if kind.name()?.to_str()? != "member_descriptor" {
            return Err(PyTypeError::new_err(format!("{}.{name} is no slot", cls.name()?)));
        }
        // SAFETY: the type is alive. What it has in these places are functions of these types, or null.
        let functions = unsafe {
            let kind = kind.as_type_ptr();
            let get = ffi::PyType_GetSlot(kind, ffi::Py_tp_descr_get);
            let set = ffi::PyType_GetSlot(kind, ffi::Py_tp_descr_set);
            (
                std::mem::transmute::<*mut std::ffi::c_void, Option<ffi::descrgetfunc>>(get),
                std::mem::transmute::<*mut std::ffi::c_void, Option<ffi::descrsetfunc>>(set),
            )
        };
        match functions {
            (Some(get), Some(set)) => Ok(Slot { descriptor: descriptor.unbind(), get, set }),
            _ => Err(PyTypeError::new_err(format!("{}.{name} can't be set", cls.name()?))),
        }
    }
}

impl Preset {
    fn of(py: Python<'_>, field: &'static Field, zero_uuid: &Py<PyAny>) -> PyResult<Preset> {
        let shared = |value: Bound<'_, PyAny>| Ok(Preset::Shared(value.unbind()));
        match field.default {
            Default::Null => return Ok(Preset::Shared(py.None())),
            Default::True => return shared(true.into_pyobject(py)?.to_owned().into_any()),
            Default::Integer(value) => return shared(value.into_pyobject(py)?.into_any()),
            Default::Plain => {}
        }
        if field.array {
            return Ok(Preset::List);
        }
        match field.kind {
            Type::Bool => shared(false.into_pyobject(py)?.to_owned().into_any()),
            Type::Float64 => shared(0f64.into_pyobject(py)?.into_any()),
            Type::Uuid => Ok(Preset::Shared(zero_uuid.clone_ref(py))),
            Type::String => shared(PyString::intern(py, "").into_any()),
            Type::Bytes | Type::Records => shared(PyBytes::new(py, b"").into_any()),
            Type::Struct(nested) => Ok(Preset::Struct(nested)),
            _ => shared(0i64.into_pyobject(py)?.into_any()),
        }
    }
}
