//! action_id
