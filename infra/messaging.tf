# Service Bus: two queues in, one topic out, no keys.

resource "azurerm_servicebus_namespace" "main" {
  name                = "sb-${local.name}-${local.suffix}"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location

  # Standard has topics and duplicate detection; private endpoints need Premium.
  sku                          = local.private ? "Premium" : "Standard"
  capacity                     = local.private ? 1 : 0
  premium_messaging_partitions = local.private ? 1 : 0

  local_auth_enabled            = false
  minimum_tls_version           = "1.2"
  public_network_access_enabled = !local.private

  dynamic "network_rule_set" {
    for_each = local.private ? [true] : []
    content {
      # With public access off only private endpoints and trusted services have access; Event Grid is a trusted service.
      default_action                = "Allow" # Deny is refused where no address rule is given
      public_network_access_enabled = false
      trusted_services_allowed      = true
    }
  }

  tags = local.tags
}

# Build requests and VM events, from anybody. The next queue detects duplicates. Here any sender could block a MessageId.
# No sessions: Event Grid cannot deliver to a session queue.
resource "azurerm_servicebus_queue" "requests" {
  name         = "image-requests"
  namespace_id = azurerm_servicebus_namespace.main.id

  requires_duplicate_detection         = false
  default_message_ttl                  = "P3D"
  dead_lettering_on_message_expiration = true

  lock_duration      = "PT5M"
  max_delivery_count = 100
  requires_session   = false
}

# Builds in progress, from the function alone: the state of a build is a message.
resource "azurerm_servicebus_queue" "builds" {
  name         = "image-builds"
  namespace_id = azurerm_servicebus_namespace.main.id

  # Longer than a build can last: MAX_WAIT (PT24H) and timeout (PT24H at most) together.
  requires_duplicate_detection            = true
  duplicate_detection_history_time_window = "P7D"
  default_message_ttl                     = "P3D"
  dead_lettering_on_message_expiration    = true

  lock_duration      = "PT5M"
  max_delivery_count = 100
  requires_session   = false
}

resource "azurerm_servicebus_topic" "events" {
  name         = "image-events"
  namespace_id = azurerm_servicebus_namespace.main.id

  requires_duplicate_detection            = true
  duplicate_detection_history_time_window = "P7D"
  default_message_ttl                     = "P7D" # caps every subscription's
}

# Waiters peek here and nobody receives. Messages leave it by expiry, which is no fault and needs no dead-letter queue.
resource "azurerm_servicebus_subscription" "history" {
  name     = "history"
  topic_id = azurerm_servicebus_topic.events.id

  default_message_ttl                       = var.history_ttl
  dead_lettering_on_message_expiration      = false
  dead_lettering_on_filter_evaluation_error = false
  lock_duration                             = "PT1M"
  max_delivery_count                        = 10
  requires_session                          = false
}

resource "azurerm_servicebus_subscription_rule" "history" {
  name            = "every-event"
  subscription_id = azurerm_servicebus_subscription.history.id
  filter_type     = "SqlFilter"
  sql_filter      = "1=1"
}

# An example for programs that use the images: it receives the images, not the failures. An event's label is its type.
resource "azurerm_servicebus_subscription" "downstream" {
  name     = "downstream"
  topic_id = azurerm_servicebus_topic.events.id

  default_message_ttl                  = "P7D"
  dead_lettering_on_message_expiration = true
  lock_duration                        = "PT1M"
  max_delivery_count                   = 10
  requires_session                     = false
}

resource "azurerm_servicebus_subscription_rule" "downstream" {
  name            = "succeeded"
  subscription_id = azurerm_servicebus_subscription.downstream.id
  filter_type     = "CorrelationFilter"

  correlation_filter {
    label = "goldmint.build.succeeded"
  }
}
