//! `monitoring/`: the dashboards are made of a table, and every query of them and of the alerts is asked of a real
//! Prometheus that scrapes real nodes under load.

mod boards;
mod live;
mod pictures;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use boards::{BOARDS, Board, Panel};
pub(crate) use live::run;

/// The data source, as `monitoring/grafana/provisioning` names it.
const SOURCE: &str = "prometheus";

/// How wide and how high a panel is, in Grafana's grid of 24 columns.
const PANEL: (usize, usize) = (12, 8);

/// Every dashboard's file and its text.
pub(crate) fn dashboards() -> BTreeMap<String, String> {
    let file = |board: &Board| {
        let text = serde_json::to_string_pretty(&dashboard(board)).expect("texts and numbers");
        (format!("monitoring/grafana/dashboards/{}.json", board.uid), text + "\n")
    };
    BOARDS.iter().map(file).collect()
}

fn source() -> Value {
    json!({ "type": "prometheus", "uid": SOURCE })
}

fn dashboard(board: &Board) -> Value {
    let variables: Vec<_> = board.variables.iter().map(|(name, query)| variable(name, query)).collect();
    let panels: Vec<_> = board.panels.iter().enumerate().map(|(number, panel)| plot(number, panel)).collect();
    json!({
        "uid": board.uid,
        "title": format!("Callboard: {}", board.title),
        "tags": ["callboard"],
        "timezone": "browser",
        "editable": false,
        "graphTooltip": 1,
        "refresh": "10s",
        "schemaVersion": 39,
        "time": { "from": "now-30m", "to": "now" },
        "templating": { "list": variables },
        "links": [{
            "title": "Callboard", "type": "dashboards", "tags": ["callboard"], "asDropdown": true, "keepTime": true,
        }],
        "panels": panels,
    })
}

fn variable(name: &str, query: &str) -> Value {
    json!({
        "name": name,
        "type": "query",
        "datasource": source(),
        "query": query,
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "includeAll": true,
        "allValue": ".*",
        "multi": true,
        "current": { "text": "All", "value": "$__all" },
    })
}

fn plot(number: usize, panel: &Panel) -> Value {
    let (width, height) = PANEL;
    let targets = panel.queries.iter().zip('A'..).map(|(query, letter)| {
        json!({ "refId": letter.to_string(), "datasource": source(), "expr": query.0, "legendFormat": query.1 })
    });
    let targets: Vec<_> = targets.collect();
    json!({
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": source(),
        "gridPos": { "x": number % 2 * width, "y": number / 2 * height, "w": width, "h": height },
        "fieldConfig": { "defaults": { "unit": panel.unit, "min": Value::Null }, "overrides": [] },
        "options": { "legend": { "displayMode": "list", "placement": "bottom" }, "tooltip": { "mode": "multi" } },
        "targets": targets,
    })
}
