# Optional (gallery_ids, gallery_source_ids): versions of images in Azure Compute Galleries. No right here exists otherwise.
# Two roles, because they have different scopes: one publishes into a gallery, the other lets ARM copy from a source.

locals {
  # On each gallery: each action and why.
  gallery_actions = {
    "Microsoft.Compute/galleries/images/versions/read"   = "look before creating; the verdict on a build comes from the version; a version as source"
    "Microsoft.Compute/galleries/images/versions/write"  = "create the version"
    "Microsoft.Compute/galleries/images/versions/delete" = "clear a failed version of its own"
    "Microsoft.Compute/locations/capsOperations/read"    = "how far a creation is"
  }

  # On each source: Azure asks for write where a version is made from a VM, a disk or a snapshot. docs/security.md says what else
  # write allows.
  gallery_source_actions = {
    "Microsoft.Compute/virtualMachines/read"  = "which VM it was: its vmId goes onto the version"
    "Microsoft.Compute/disks/read"            = "which disk it was: its unique id goes onto the version"
    "Microsoft.Compute/snapshots/read"        = "which snapshot it was: its unique id goes onto the version"
    "Microsoft.Compute/virtualMachines/write" = "ARM asks for it where a version is made from a VM"
    "Microsoft.Compute/disks/write"           = "ARM asks for it where a version is made from a disk"
    "Microsoft.Compute/snapshots/write"       = "ARM asks for it where a version is made from a snapshot"
  }
}

resource "azurerm_role_definition" "galleries" {
  count = length(var.gallery_ids) > 0 ? 1 : 0

  name              = "Goldmint gallery publisher (${local.name}-${local.suffix})"
  description       = "Create gallery image versions and clear failed ones."
  scope             = "/subscriptions/${local.subscription_id}"
  assignable_scopes = distinct(concat(["/subscriptions/${local.subscription_id}"], [for id in sort(var.gallery_ids) : "/subscriptions/${split("/", id)[2]}"]))

  permissions {
    actions = sort(keys(local.gallery_actions))
  }
}

resource "azurerm_role_definition" "gallery_sources" {
  count = length(var.gallery_source_ids) > 0 ? 1 : 0

  name              = "Goldmint gallery source (${local.name}-${local.suffix})"
  description       = "Let Resource Manager copy VMs, disks and snapshots into gallery image versions, for which it wants write."
  scope             = "/subscriptions/${local.subscription_id}"
  assignable_scopes = distinct(concat(["/subscriptions/${local.subscription_id}"], [for id in sort(var.gallery_source_ids) : "/subscriptions/${split("/", id)[2]}"]))

  permissions {
    actions = sort(keys(local.gallery_source_actions))
  }
}

resource "azurerm_role_assignment" "function_galleries" {
  for_each = var.gallery_ids

  scope              = each.value
  role_definition_id = "/subscriptions/${split("/", each.value)[2]}/providers/Microsoft.Authorization/roleDefinitions/${azurerm_role_definition.galleries[0].role_definition_id}"
  principal_id       = azurerm_user_assigned_identity.function.principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "function_gallery_sources" {
  for_each = var.gallery_source_ids

  scope              = each.value
  role_definition_id = "/subscriptions/${split("/", each.value)[2]}/providers/Microsoft.Authorization/roleDefinitions/${azurerm_role_definition.gallery_sources[0].role_definition_id}"
  principal_id       = azurerm_user_assigned_identity.function.principal_id
  principal_type     = "ServicePrincipal"
}
