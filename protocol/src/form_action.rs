//! form_action
