# Queue, topic and subscriptions: what once-only and the waiters rest on.

mock_provider "azurerm" {
  source = "./tests/mocks"
}

variables {
  environment_name         = "test"
  location                 = "westeurope"
  image_resource_group_ids = ["/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-images"]
}

run "as_deployed" {
  # no shared keys
  assert {
    condition     = azurerm_servicebus_namespace.main.local_auth_enabled == false
    error_message = "the namespace must not accept SAS keys"
  }
  assert {
    condition     = azurerm_servicebus_namespace.main.minimum_tls_version == "1.2"
    error_message = "the namespace must refuse TLS below 1.2"
  }

  # queue
  assert {
    condition     = azurerm_servicebus_queue.builds.name == "image-builds"
    error_message = "the queue's name is part of the contract"
  }
  assert {
    condition     = azurerm_servicebus_queue.builds.requires_duplicate_detection && azurerm_servicebus_queue.builds.duplicate_detection_history_time_window == "P7D"
    error_message = "a redelivered message must not fork a build: duplicates are detected for 7 days"
  }
  assert {
    condition     = azurerm_servicebus_queue.builds.default_message_ttl == "P3D" && azurerm_servicebus_queue.builds.dead_lettering_on_message_expiration
    error_message = "a message must outlive MAX_WAIT and timeout together (P2D), and must not vanish when it expires"
  }
  assert {
    condition     = alltrue([for queue in [azurerm_servicebus_queue.requests, azurerm_servicebus_queue.builds] : queue.lock_duration == "PT5M" && queue.max_delivery_count == 100])
    error_message = "lock 5 minutes, 100 deliveries: the handler's own limits count on both"
  }
  assert {
    condition     = azurerm_servicebus_queue.requests.name == "image-requests" && !azurerm_servicebus_queue.requests.requires_duplicate_detection
    error_message = "whoever may send requests must not be able to squat on a MessageId"
  }
  assert {
    condition     = azurerm_servicebus_queue.requests.requires_session == false
    error_message = "Event Grid cannot deliver to a queue with sessions"
  }

  # topic
  assert {
    condition     = azurerm_servicebus_topic.events.name == "image-events"
    error_message = "the topic's name is part of the contract"
  }
  assert {
    condition     = azurerm_servicebus_topic.events.requires_duplicate_detection && azurerm_servicebus_topic.events.duplicate_detection_history_time_window == "P7D"
    error_message = "an event that is published again must not arrive again"
  }
  assert {
    condition     = azurerm_servicebus_topic.events.default_message_ttl == "P7D"
    error_message = "the topic caps the subscriptions' time to live: it must allow the longest history"
  }

  # history
  assert {
    condition     = azurerm_servicebus_subscription.history.name == "history" && azurerm_servicebus_subscription.history.default_message_ttl == "P3D"
    error_message = "history keeps events for history_ttl"
  }
  assert {
    condition     = azurerm_servicebus_subscription.history.requires_session == false && azurerm_servicebus_subscription.history.dead_lettering_on_message_expiration == false
    error_message = "history is peeked without sessions and empties itself without dead-lettering"
  }
  assert {
    condition     = azurerm_servicebus_subscription_rule.history.sql_filter == "1=1"
    error_message = "history takes every event: the rule a subscription comes with is deleted"
  }

  # downstream
  assert {
    condition     = one(azurerm_servicebus_subscription_rule.downstream.correlation_filter).label == "goldmint.build.succeeded"
    error_message = "downstream receives succeeded builds only"
  }
  assert {
    condition     = azurerm_servicebus_subscription.downstream.dead_lettering_on_message_expiration
    error_message = "an image nobody took must not vanish silently"
  }

  # public by default
  assert {
    condition     = azurerm_servicebus_namespace.main.sku == "Standard" && length(azurerm_virtual_network.main) == 0 && length(azurerm_private_endpoint.main) == 0
    error_message = "without private_network there is no network to pay for"
  }
}

run "history_ttl_is_a_variable" {
  variables {
    history_ttl = "P7D"
  }
  assert {
    condition     = azurerm_servicebus_subscription.history.default_message_ttl == "P7D"
    error_message = "history_ttl must reach the subscription"
  }
}

run "private_network_keeps_event_grid_in" {
  variables {
    private_network = {}
  }
  assert {
    condition     = azurerm_servicebus_namespace.main.sku == "Premium" && azurerm_servicebus_namespace.main.public_network_access_enabled == false
    error_message = "private means Premium, and no public access"
  }
  assert {
    condition     = one(azurerm_servicebus_namespace.main.network_rule_set).trusted_services_allowed && one(azurerm_servicebus_namespace.main.network_rule_set).public_network_access_enabled == false
    error_message = "Event Grid delivers as a trusted service"
  }
  assert {
    condition     = azurerm_storage_account.main.public_network_access_enabled == false && one(azurerm_storage_account.main.network_rules).default_action == "Deny" && contains(one(azurerm_storage_account.main.network_rules).bypass, "AzureServices")
    error_message = "storage is closed but for Azure's own services"
  }
  assert {
    condition     = sort(keys(azurerm_private_endpoint.main)) == tolist(["blob", "servicebus"]) && azurerm_function_app_flex_consumption.main.virtual_network_subnet_id == azurerm_subnet.function[0].id
    error_message = "the function reaches both through private endpoints"
  }
}
