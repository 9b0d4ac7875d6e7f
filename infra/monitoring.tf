# Logs, alerts, a workbook. Queries live in queries/, one file each, and read the events that the handler logs.

resource "azurerm_log_analytics_workspace" "main" {
  count = var.log_analytics_workspace_id == null ? 1 : 0

  name                         = "log-${local.name}"
  resource_group_name          = azurerm_resource_group.main.name
  location                     = azurerm_resource_group.main.location
  sku                          = "PerGB2018"
  retention_in_days            = 30
  local_authentication_enabled = false
  tags                         = local.tags
}

locals {
  workspace_id = var.log_analytics_workspace_id != null ? var.log_analytics_workspace_id : azurerm_log_analytics_workspace.main[0].id

  # Only Premium can log who used which entity, and whom the network rules refused.
  service_bus_logs = concat(["OperationalLogs"], local.private ? ["RuntimeAuditLogs", "VNetAndIPFilteringLogs"] : [])
}

resource "azurerm_application_insights" "main" {
  name                         = "appi-${local.name}"
  resource_group_name          = azurerm_resource_group.main.name
  location                     = azurerm_resource_group.main.location
  workspace_id                 = local.workspace_id
  application_type             = "other"
  sampling_percentage          = 100 # alerts count lines
  local_authentication_enabled = false
  tags                         = local.tags
}

resource "azurerm_monitor_diagnostic_setting" "main" {
  for_each = merge(
    {
      service_bus = { target = azurerm_servicebus_namespace.main.id, logs = local.service_bus_logs }
      storage     = { target = "${azurerm_storage_account.main.id}/blobServices/default", logs = ["StorageWrite", "StorageDelete"] }
    },
    local.own_topic ? { event_grid = { target = azurerm_eventgrid_system_topic.vms[0].id, logs = ["DeliveryFailures"] } } : {},
  )

  name                       = "goldmint"
  target_resource_id         = each.value.target
  log_analytics_workspace_id = local.workspace_id

  dynamic "enabled_log" {
    for_each = each.value.logs
    content {
      category = enabled_log.value
    }
  }
}

resource "azurerm_monitor_action_group" "main" {
  name                = "ag-${local.name}"
  resource_group_name = azurerm_resource_group.main.name
  short_name          = "goldmint"
  tags                = local.tags

  dynamic "email_receiver" {
    for_each = var.alert_emails
    content {
      name                    = email_receiver.value
      email_address           = email_receiver.value
      use_common_alert_schema = true
    }
  }
}

locals {
  metric_alerts = merge(
    merge([for key, queue in { requests = azurerm_servicebus_queue.requests.name, builds = azurerm_servicebus_queue.builds.name } : {
      "dead-letters-${key}" = {
        description = "Messages are in the dead-letter queue of ${queue}. Nobody may have been told of what Service Bus put there by itself: read the reasons, then resubmit or discard them."
        scope       = azurerm_servicebus_namespace.main.id
        namespace   = "Microsoft.ServiceBus/namespaces"
        metric      = "DeadletteredMessages"
        aggregation = "Maximum"
        window      = "PT5M"
        dimension   = "EntityName"
        entity      = queue
      }
      # Service Bus has no metric for a message's age: a queue that was never empty for half an hour is close to that.
      "queue-age-${key}" = {
        description = "Messages have waited in ${queue} for half an hour: is the function running, may it receive?"
        scope       = azurerm_servicebus_namespace.main.id
        namespace   = "Microsoft.ServiceBus/namespaces"
        metric      = "ActiveMessages"
        aggregation = "Minimum"
        window      = "PT30M"
        dimension   = "EntityName"
        entity      = queue
      }
    }]...),
    local.vm_events ? {
      undelivered-vm-events = {
        description = "Event Grid gave up on VM events and stored them in the container undelivered-vm-events."
        scope       = local.topic_id
        namespace   = "Microsoft.EventGrid/systemTopics"
        metric      = "DeadLetteredCount"
        aggregation = "Total"
        window      = "PT5M"
        dimension   = "EventSubscriptionName" # an existing topic serves others too
        entity      = azurerm_eventgrid_system_topic_event_subscription.vms[0].name
      }
      lost-vm-events = {
        description = "Event Grid could neither deliver VM events nor store them, and dropped them: has its identity still its roles on the queue and on the container, and do both let it through their firewalls?"
        scope       = local.topic_id
        namespace   = "Microsoft.EventGrid/systemTopics"
        metric      = "DroppedEventCount"
        aggregation = "Total"
        window      = "PT5M"
        dimension   = "EventSubscriptionName" # an existing topic serves others too
        entity      = azurerm_eventgrid_system_topic_event_subscription.vms[0].name
      }
    } : {},
  )

  log_alerts = {
    failed-builds = {
      description = "Builds ended without an image."
      severity    = 2
      window      = "PT15M"
      threshold   = 0
    }
    throttled = {
      description = "ARM refuses work more often than pacing explains: another client may use up the same subscription's allowance."
      severity    = 3
      window      = "PT30M"
      threshold   = 10
    }
    unknown-messages = {
      description = "The queue image-builds held a message that is not the function's own: somebody holds a role there that should not, or sends to the wrong queue."
      severity    = 1
      window      = "PT15M"
      threshold   = 0
    }
    poison = {
      description = "A message failed again and again for a reason that nobody foresaw: a fault of Goldmint's."
      severity    = 1
      window      = "PT15M"
      threshold   = 0
    }
  }

  events_query = file("${path.module}/queries/events.kql")
}

resource "azurerm_monitor_metric_alert" "main" {
  for_each = local.metric_alerts

  name                = "${local.name}-${each.key}"
  description         = each.value.description
  resource_group_name = azurerm_resource_group.main.name
  scopes              = [each.value.scope]
  severity            = 2
  frequency           = "PT5M"
  window_size         = each.value.window
  tags                = local.tags

  criteria {
    metric_namespace = each.value.namespace
    metric_name      = each.value.metric
    aggregation      = each.value.aggregation
    operator         = "GreaterThan"
    threshold        = 0

    dimension {
      name     = each.value.dimension
      operator = "Include"
      values   = [each.value.entity]
    }
  }

  action {
    action_group_id = azurerm_monitor_action_group.main.id
  }
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "main" {
  for_each = local.log_alerts

  name                    = "${local.name}-${each.key}"
  description             = each.value.description
  resource_group_name     = azurerm_resource_group.main.name
  location                = azurerm_resource_group.main.location
  scopes                  = [azurerm_application_insights.main.id]
  severity                = each.value.severity
  evaluation_frequency    = each.value.window # no row is counted twice, and a rare look is a cheap one
  window_duration         = each.value.window
  auto_mitigation_enabled = true
  tags                    = local.tags

  criteria {
    query                   = "${local.events_query}${file("${path.module}/queries/${each.key}.kql")}"
    time_aggregation_method = "Count"
    operator                = "GreaterThan"
    threshold               = each.value.threshold
  }

  action {
    action_groups = [azurerm_monitor_action_group.main.id]
  }
}

locals {
  workbook_charts = [
    { title = "Builds by outcome", query = "builds-by-outcome", chart = "barchart" },
    { title = "How long builds took (seconds)", query = "build-durations", chart = "table" },
    { title = "Open builds", query = "open-builds", chart = "table" },
    { title = "Failed builds", query = "failed-builds", chart = "table" },
    { title = "Refused and ignored messages", query = "refused-messages", chart = "table" },
    { title = "VM events", query = "vm-events", chart = "table" },
    { title = "ARM's refusals", query = "throttled", chart = "table" },
    { title = "Messages of strangers in image-builds", query = "unknown-messages", chart = "table" },
    { title = "Poisoned messages", query = "poison", chart = "table" },
  ]
}

resource "azurerm_application_insights_workbook" "builds" {
  name                = uuidv5("url", "https://goldmint/${local.name}/${local.suffix}/builds")
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  display_name        = "Goldmint: builds (${var.environment_name})"
  source_id           = lower(azurerm_application_insights.main.id)
  tags                = local.tags

  data_json = jsonencode({
    version             = "Notebook/1.0"
    fallbackResourceIds = [azurerm_application_insights.main.id]
    items = [for item in local.workbook_charts : {
      type = 3
      name = item.query
      content = {
        version       = "KqlItem/1.0"
        title         = item.title
        query         = "${local.events_query}${file("${path.module}/queries/${item.query}.kql")}"
        queryType     = 0
        resourceType  = "microsoft.insights/components"
        visualization = item.chart
        size          = 0
        timeContext   = { durationMs = 86400000 } # a day
      }
    }]
  })
}
