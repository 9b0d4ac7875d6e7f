# Optional (delete_locks): what holds messages cannot be deleted by mistake. A lock on the namespace covers its queues and topic.

resource "azurerm_management_lock" "main" {
  for_each = var.delete_locks ? {
    namespace = azurerm_servicebus_namespace.main.id
    storage   = azurerm_storage_account.main.id
  } : {}

  name       = "goldmint-keeps-messages"
  scope      = each.value
  lock_level = "CanNotDelete"
  notes      = "Holds build requests, dead letters and undelivered VM events. delete_locks = false in infra/ removes this lock."

  # Locks come last, because the provider deletes each subscription's default rule, which a lock would refuse.
  depends_on = [
    azurerm_servicebus_subscription_rule.history,
    azurerm_servicebus_subscription_rule.downstream,
  ]
}
