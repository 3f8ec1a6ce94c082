//! How a state is declared: a name, what it holds, how it ages. Descriptors are plain data and go
//! from thread to thread; the operator gives them to its [`crate::KeyedBackend`] when it opens.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::row::Value;

use crate::aggregating::AggregateFunction;
use crate::evolution::{Migrate, migration};
use crate::operator_state::Redistribution;
use crate::ttl::StateTtlConfig;

/// The kinds of keyed state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StateKind {
    /// One value a key.
    Value,
    /// A list a key.
    List,
    /// A map a key.
    Map,
    /// One value a key, into which others are reduced.
    Reducing,
    /// One accumulator a key.
    Aggregating,
}

impl StateKind {
    /// Its name, as metrics and messages give it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::List => "list",
            Self::Map => "map",
            Self::Reducing => "reducing",
            Self::Aggregating => "aggregating",
        }
    }
}

impl fmt::Display for StateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What every keyed state's descriptor has.
macro_rules! common {
    ($type:ident < $($param:ident),+ >, $value:ident, $kind:expr) => {
        impl<$($param),+> $type<$($param),+>
        where
            $value: Row,
        {
            /// Reads values that a snapshot has as another type than this one: `migrate` is given each as
            /// it was written. Without it Avro's rules hold: a new field needs a default.
            #[must_use]
            pub fn migrate(
                mut self,
                migrate: impl Fn(&Value) -> Result<$value, String> + Send + Sync + 'static,
            ) -> Self {
                self.migrate = Some(migration(migrate));
                self
            }
        }

        impl<$($param),+> $type<$($param),+> {
            /// Lets the entries age.
            #[must_use]
            pub fn ttl(mut self, ttl: StateTtlConfig) -> Self {
                self.ttl = Some(ttl);
                self
            }

            /// The state's name, unique within its operator.
            pub fn name(&self) -> &str {
                &self.name
            }

            /// The state's kind.
            pub fn kind(&self) -> StateKind {
                $kind
            }
        }

        impl<$($param),+> fmt::Debug for $type<$($param),+> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($type))
                    .field("name", &self.name)
                    .field("ttl", &self.ttl)
                    .finish_non_exhaustive()
            }
        }
    };
}

/// Declares a [`crate::ValueState`].
pub struct ValueStateDescriptor<V> {
    pub(crate) name: String,
    pub(crate) ttl: Option<StateTtlConfig>,
    pub(crate) migrate: Option<Migrate>,
    of: PhantomData<fn() -> V>,
}

impl<V> ValueStateDescriptor<V> {
    /// One value of type `V` a key.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ttl: None,
            migrate: None,
            of: PhantomData,
        }
    }
}

impl<V> From<&str> for ValueStateDescriptor<V> {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl<V> Clone for ValueStateDescriptor<V> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            ttl: self.ttl.clone(),
            migrate: self.migrate.clone(),
            of: PhantomData,
        }
    }
}

common!(ValueStateDescriptor<V>, V, StateKind::Value);

/// Declares a [`crate::ListState`].
pub struct ListStateDescriptor<V> {
    pub(crate) name: String,
    pub(crate) ttl: Option<StateTtlConfig>,
    pub(crate) migrate: Option<Migrate>,
    of: PhantomData<fn() -> V>,
}

impl<V> ListStateDescriptor<V> {
    /// A list of `V` a key.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ttl: None,
            migrate: None,
            of: PhantomData,
        }
    }
}

impl<V> From<&str> for ListStateDescriptor<V> {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl<V> Clone for ListStateDescriptor<V> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            ttl: self.ttl.clone(),
            migrate: self.migrate.clone(),
            of: PhantomData,
        }
    }
}

common!(ListStateDescriptor<V>, V, StateKind::List);

/// Declares a [`crate::MapState`].
pub struct MapStateDescriptor<MK, MV> {
    pub(crate) name: String,
    pub(crate) ttl: Option<StateTtlConfig>,
    pub(crate) migrate: Option<Migrate>,
    of: PhantomData<fn() -> (MK, MV)>,
}

impl<MK, MV> MapStateDescriptor<MK, MV> {
    /// A map from `MK` to `MV` a key.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ttl: None,
            migrate: None,
            of: PhantomData,
        }
    }
}

impl<MK, MV> From<&str> for MapStateDescriptor<MK, MV> {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl<MK, MV> Clone for MapStateDescriptor<MK, MV> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            ttl: self.ttl.clone(),
            migrate: self.migrate.clone(),
            of: PhantomData,
        }
    }
}

common!(MapStateDescriptor<MK, MV>, MV, StateKind::Map);

/// How a value is reduced into the one that is there.
pub(crate) type Reduce<V> = Arc<dyn Fn(&mut V, V) + Send + Sync>;

/// Declares a [`crate::ReducingState`].
pub struct ReducingStateDescriptor<V> {
    pub(crate) name: String,
    pub(crate) ttl: Option<StateTtlConfig>,
    pub(crate) migrate: Option<Migrate>,
    pub(crate) reduce: Reduce<V>,
}

impl<V> ReducingStateDescriptor<V> {
    /// One value a key; `reduce(into, value)` puts each further value into it.
    pub fn new(
        name: impl Into<String>,
        reduce: impl Fn(&mut V, V) + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            ttl: None,
            migrate: None,
            reduce: Arc::new(reduce),
        }
    }
}

impl<V> Clone for ReducingStateDescriptor<V> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            ttl: self.ttl.clone(),
            migrate: self.migrate.clone(),
            reduce: Arc::clone(&self.reduce),
        }
    }
}

common!(ReducingStateDescriptor<V>, V, StateKind::Reducing);

/// Declares a [`crate::AggregatingState`].
pub struct AggregatingStateDescriptor<In, Acc, Out> {
    pub(crate) name: String,
    pub(crate) ttl: Option<StateTtlConfig>,
    pub(crate) migrate: Option<Migrate>,
    pub(crate) function: Arc<dyn AggregateFunction<In = In, Acc = Acc, Out = Out>>,
}

impl<In, Acc, Out> AggregatingStateDescriptor<In, Acc, Out> {
    /// One accumulator a key, kept by `function`.
    pub fn new(
        name: impl Into<String>,
        function: impl AggregateFunction<In = In, Acc = Acc, Out = Out>,
    ) -> Self {
        Self {
            name: name.into(),
            ttl: None,
            migrate: None,
            function: Arc::new(function),
        }
    }
}

impl<In, Acc, Out> Clone for AggregatingStateDescriptor<In, Acc, Out> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            ttl: self.ttl.clone(),
            migrate: self.migrate.clone(),
            function: Arc::clone(&self.function),
        }
    }
}

common!(AggregatingStateDescriptor<In, Acc, Out>, Acc, StateKind::Aggregating);

/// Declares a [`crate::BroadcastState`].
pub struct BroadcastStateDescriptor<K, V> {
    pub(crate) name: String,
    of: PhantomData<fn() -> (K, V)>,
}

impl<K, V> BroadcastStateDescriptor<K, V> {
    /// A map from `K` to `V`, the same in every subtask.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            of: PhantomData,
        }
    }

    /// The state's name, unique within its operator.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<K, V> Clone for BroadcastStateDescriptor<K, V> {
    fn clone(&self) -> Self {
        Self::new(self.name.clone())
    }
}

impl<K, V> fmt::Debug for BroadcastStateDescriptor<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastStateDescriptor")
            .field("name", &self.name)
            .finish()
    }
}

/// Declares an [`crate::OperatorListState`].
pub struct OperatorListStateDescriptor<V> {
    pub(crate) name: String,
    pub(crate) redistribution: Redistribution,
    of: PhantomData<fn() -> V>,
}

impl<V> OperatorListStateDescriptor<V> {
    /// A list a subtask whose elements are dealt out among the subtasks on a restore.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            redistribution: Redistribution::Split,
            of: PhantomData,
        }
    }

    /// A list a subtask; on a restore every subtask gets the elements of all.
    pub fn union(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            redistribution: Redistribution::Union,
            of: PhantomData,
        }
    }

    /// The state's name, unique within its operator.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<V> Clone for OperatorListStateDescriptor<V> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            redistribution: self.redistribution,
            of: PhantomData,
        }
    }
}

impl<V> fmt::Debug for OperatorListStateDescriptor<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorListStateDescriptor")
            .field("name", &self.name)
            .field("redistribution", &self.redistribution)
            .finish()
    }
}
