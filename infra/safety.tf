# Optional (delete_locks): what holds messages cannot be deleted by a slip. A lock on the namespace covers its queues and topic.

resource "azurerm_management_lock" "main" {
  for_each = var.delete_locks ? {
    namespace = azurerm_servicebus_namespace.main.id
    storage   = azurerm_storage_account.main.id
  } : {}

  name       = "goldmint-keeps-messages"
  scope      = each.value
  lock_level = "CanNotDelete"
  notes      = "Holds build requests, dead letters and undelivered VM events. delete_locks = false in infra/ removes this lock."

  # Last: the provider deletes the rule that each subscription comes with, which a lock would refuse.
  depends_on = [
    azurerm_servicebus_subscription_rule.history,
    azurerm_servicebus_subscription_rule.downstream,
  ]
}
