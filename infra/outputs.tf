# What `goldmint submit` and `goldmint wait` need; azd turns each into a variable of its environment.

output "service_bus_namespace" {
  description = "Fully qualified name of the Service Bus namespace."
  value       = local.service_bus_fqdn
}

output "request_queue" {
  description = "The queue that takes build requests."
  value       = azurerm_servicebus_queue.requests.name
}

output "build_queue" {
  description = "The function's own queue, of builds under way."
  value       = azurerm_servicebus_queue.builds.name
}

output "event_topic" {
  description = "The topic that carries what happened to them."
  value       = azurerm_servicebus_topic.events.name
}

output "history_subscription" {
  description = "The subscription that waiters peek."
  value       = azurerm_servicebus_subscription.history.name
}

# What deploy.sh needs.

output "resource_group" {
  description = "The deployment's resource group."
  value       = azurerm_resource_group.main.name
}

output "function_app" {
  description = "The function app that dist.zip is deployed to."
  value       = azurerm_function_app_flex_consumption.main.name
}

output "function_principal_id" {
  description = "Object id of the function's identity, to grant it more than this module does (a Key Vault, a foreign disk encryption set)."
  value       = azurerm_user_assigned_identity.function.principal_id
}
