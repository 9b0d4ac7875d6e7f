# Alerts, where they look and whom they tell.

mock_provider "azurerm" {
  source = "./tests/mocks"
}

variables {
  environment_name         = "test"
  location                 = "westeurope"
  image_resource_group_ids = ["/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-images"]
  alert_emails             = ["ops@example.com"]
}

run "as_deployed" {
  # metric alerts
  assert {
    condition     = sort(keys(azurerm_monitor_metric_alert.main)) == tolist(["dead-letters-builds", "dead-letters-requests", "lost-vm-events", "queue-age-builds", "queue-age-requests", "undelivered-vm-events"])
    error_message = "dead letters and age of both queues, undelivered and dropped events"
  }
  assert {
    condition     = alltrue([for name in ["dead-letters", "queue-age"] : [for queue in ["requests", "builds"] : one(one(azurerm_monitor_metric_alert.main["${name}-${queue}"].criteria).dimension).values] == [tolist(["image-requests"]), tolist(["image-builds"])]])
    error_message = "each queue has its alerts, and they look at it alone"
  }

  # log alerts
  assert {
    condition     = sort(keys(azurerm_monitor_scheduled_query_rules_alert_v2.main)) == tolist(["failed-builds", "poison", "throttled", "unknown-messages"])
    error_message = "failed builds, poison, throttling, messages of strangers"
  }
  assert {
    condition     = alltrue([for alert in azurerm_monitor_scheduled_query_rules_alert_v2.main : strcontains(one(alert.criteria).query, "let events = traces") && alert.scopes == tolist([azurerm_application_insights.main.id])])
    error_message = "every query begins with the events"
  }

  # nothing is sampled away
  assert {
    condition     = azurerm_application_insights.main.sampling_percentage == 100 && azurerm_function_app_flex_consumption.main.app_settings["AzureFunctionsJobHost__logging__applicationInsights__samplingSettings__isEnabled"] == "false"
    error_message = "an alert that counts log lines needs all of them"
  }

  # alerts reach people
  assert {
    condition     = one(azurerm_monitor_action_group.main.email_receiver).email_address == "ops@example.com"
    error_message = "alert_emails receive the alerts"
  }
  assert {
    condition     = alltrue([for alert in azurerm_monitor_metric_alert.main : one(alert.action).action_group_id == azurerm_monitor_action_group.main.id]) && alltrue([for alert in azurerm_monitor_scheduled_query_rules_alert_v2.main : one(alert.action).action_groups == tolist([azurerm_monitor_action_group.main.id])])
    error_message = "every alert tells the action group"
  }

  # workbook
  assert {
    condition     = length(jsondecode(azurerm_application_insights_workbook.builds.data_json).items) == 9
    error_message = "nine tables"
  }

  # diagnostics
  assert {
    condition     = sort(keys(azurerm_monitor_diagnostic_setting.main)) == tolist(["event_grid", "service_bus", "storage"])
    error_message = "each service's own log is kept"
  }
}
