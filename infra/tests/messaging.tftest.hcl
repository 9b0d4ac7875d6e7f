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

  # queues
  assert {
    condition     = azurerm_servicebus_queue.requests.name == "image-requests" && azurerm_servicebus_queue.builds.name == "image-builds"
    error_message = "the queues' names are part of the contract"
  }
  assert {
    condition     = azurerm_servicebus_queue.requests.requires_duplicate_detection == false
    error_message = "with duplicate detection a sender could use up another's MessageId"
  }
  assert {
    condition     = azurerm_servicebus_queue.builds.requires_duplicate_detection && azurerm_servicebus_queue.builds.duplicate_detection_history_time_window == "P7D"
    error_message = "a redelivered message must not fork a build: duplicates are detected for 7 days"
  }
  assert {
    condition     = alltrue([for queue in [azurerm_servicebus_queue.requests, azurerm_servicebus_queue.builds] : queue.default_message_ttl == "P3D" && queue.dead_lettering_on_message_expiration])
    error_message = "a message must outlive MAX_WAIT and timeout together (P2D), and must not vanish when it expires"
  }
  assert {
    condition     = alltrue([for queue in [azurerm_servicebus_queue.requests, azurerm_servicebus_queue.builds] : queue.lock_duration == "PT5M" && queue.max_delivery_count == 100])
    error_message = "lock 5 minutes, 100 deliveries: the handler ends a message long before Service Bus does"
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
    condition     = azurerm_servicebus_subscription.history.name == "history" && azurerm_servicebus_subscription.history.default_message_ttl == "P7D"
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
    condition     = azurerm_servicebus_namespace.main.sku == "Standard" && length(azurerm_virtual_network.main) == 0 && length(azurerm_private_endpoint.main) + length(azurerm_network_security_group.main) + length(azurerm_management_lock.main) == 0
    error_message = "without private_network there is no network to pay for"
  }
}

run "history_ttl_is_a_variable" {
  variables {
    history_ttl = "P2D"
  }
  assert {
    condition     = azurerm_servicebus_subscription.history.default_message_ttl == "P2D"
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
  assert {
    condition     = one(azurerm_eventgrid_system_topic.vms[0].identity).type == "SystemAssigned" && one(azurerm_eventgrid_system_topic_event_subscription.vms[0].delivery_identity).type == "SystemAssigned" && one(azurerm_eventgrid_system_topic_event_subscription.vms[0].dead_letter_identity).type == "SystemAssigned" && length(azurerm_user_assigned_identity.event_grid) == 0
    error_message = "Event Grid gets through the firewalls with its system-assigned identity"
  }
  assert {
    condition     = azurerm_role_assignment.event_grid_queue[0].principal_id == one(azurerm_eventgrid_system_topic.vms[0].identity).principal_id
    error_message = "that identity holds Event Grid's roles"
  }
  assert {
    condition     = sort(keys(azurerm_subnet_network_security_group_association.main)) == tolist(["endpoints", "function"]) && alltrue([for group in azurerm_network_security_group.main : length([for rule in group.security_rule : rule if rule.access == "Deny" && rule.priority == 4096 && rule.direction == "Inbound" && rule.source_address_prefix == "*"]) == 1])
    error_message = "each subnet of its own lets in what it must and nothing else"
  }
  assert {
    condition     = azurerm_subnet.endpoints[0].private_endpoint_network_policies == "NetworkSecurityGroupEnabled"
    error_message = "or the group would not hold for the endpoints"
  }
  assert {
    condition     = toset(azurerm_monitor_diagnostic_setting.main["service_bus"].enabled_log[*].category) == toset(["OperationalLogs", "RuntimeAuditLogs", "VNetAndIPFilteringLogs"])
    error_message = "Premium logs who used which entity"
  }
}

run "private_network_in_a_landing_zone" {
  variables {
    private_network = {
      function_subnet_id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-net/providers/Microsoft.Network/virtualNetworks/hub/subnets/flex"
      endpoint_subnet_id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-net/providers/Microsoft.Network/virtualNetworks/hub/subnets/endpoints"
      private_dns_zone_ids = {
        servicebus = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-dns/providers/Microsoft.Network/privateDnsZones/privatelink.servicebus.windows.net"
        blob       = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-dns/providers/Microsoft.Network/privateDnsZones/privatelink.blob.core.windows.net"
      }
    }
    log_analytics_workspace_id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-logs/providers/Microsoft.OperationalInsights/workspaces/central"
  }
  assert {
    condition     = length(azurerm_virtual_network.main) + length(azurerm_subnet.function) + length(azurerm_subnet.endpoints) + length(azurerm_network_security_group.main) + length(azurerm_private_dns_zone.main) + length(azurerm_private_dns_zone_virtual_network_link.main) + length(azurerm_log_analytics_workspace.main) == 0
    error_message = "nothing that a landing zone forbids"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.main.virtual_network_subnet_id == var.private_network.function_subnet_id && alltrue([for endpoint in azurerm_private_endpoint.main : endpoint.subnet_id == var.private_network.endpoint_subnet_id])
    error_message = "the given subnets are used"
  }
  assert {
    condition     = alltrue([for key in ["servicebus", "blob"] : one(azurerm_private_endpoint.main[key].private_dns_zone_group).private_dns_zone_ids == tolist([var.private_network.private_dns_zone_ids[key]])])
    error_message = "the given zones are used"
  }
  assert {
    condition     = azurerm_application_insights.main.workspace_id == var.log_analytics_workspace_id && alltrue([for setting in azurerm_monitor_diagnostic_setting.main : setting.log_analytics_workspace_id == var.log_analytics_workspace_id])
    error_message = "the given workspace is used"
  }
}

run "existing_subnets_but_own_zones" {
  variables {
    private_network = {
      function_subnet_id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-net/providers/Microsoft.Network/virtualNetworks/hub/subnets/flex"
      endpoint_subnet_id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-net/providers/Microsoft.Network/virtualNetworks/hub/subnets/endpoints"
    }
  }
  assert {
    condition     = alltrue([for link in azurerm_private_dns_zone_virtual_network_link.main : link.virtual_network_id == "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-net/providers/Microsoft.Network/virtualNetworks/hub"])
    error_message = "zones of its own are linked to the VNet of the given subnets"
  }
}

run "locks" {
  variables {
    delete_locks = true
  }
  assert {
    condition     = sort(keys(azurerm_management_lock.main)) == tolist(["namespace", "storage"]) && alltrue([for lock in azurerm_management_lock.main : lock.lock_level == "CanNotDelete"])
    error_message = "what holds messages cannot be deleted"
  }
}
