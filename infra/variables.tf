variable "environment_name" {
  description = "Short name of this deployment; part of every resource name, for example dev or prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,10}[a-z0-9]$", var.environment_name))
    error_message = "environment_name must be 2 to 12 lower-case letters, digits and hyphens, begin with a letter and not end with a hyphen."
  }
}

variable "location" {
  description = "Azure region of the deployment. It must offer Flex Consumption (az functionapp list-flexconsumption-locations); images may be in any region."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]+$", var.location))
    error_message = "location must be a region's short name, for example westeurope."
  }
}

variable "image_resource_group_ids" {
  description = "Resource groups that hold the images and their sources (VMs, disks, snapshots), in any subscription of the tenant. The function can read and write nothing elsewhere, and refuses requests for other groups. VM events are taken from those in the deployment's own subscription."
  type        = set(string)

  validation {
    condition     = length(var.image_resource_group_ids) > 0
    error_message = "image_resource_group_ids must name at least one resource group: without one the function may not create any image."
  }

  validation {
    condition     = alltrue([for id in var.image_resource_group_ids : can(regex("^/subscriptions/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/resourceGroups/[-\\w._()]{1,90}$", id))])
    error_message = "image_resource_group_ids must hold ids of the form /subscriptions/GUID/resourceGroups/NAME (az group show -n NAME --query id -o tsv)."
  }

  validation {
    condition     = length(distinct([for id in var.image_resource_group_ids : lower(id)])) == length(var.image_resource_group_ids)
    error_message = "image_resource_group_ids must not name a resource group twice (letter case does not count)."
  }

  validation {
    # Event Grid allows 25 values in an event subscription's advanced filters; two are the VM actions.
    condition     = length(var.image_resource_group_ids) <= 23
    error_message = "image_resource_group_ids may name 23 resource groups at most: Event Grid's filters hold no more."
  }
}

variable "gallery_ids" {
  description = "Azure Compute Galleries that the function may publish image versions into, by id. None by default. The image definitions are yours: Goldmint makes versions alone."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.gallery_ids : can(regex("^/subscriptions/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/resourceGroups/[-\\w._()]{1,90}/providers/Microsoft.Compute/galleries/[A-Za-z0-9][\\w.]{0,79}$", id))])
    error_message = "gallery_ids must hold ids of the form /subscriptions/GUID/resourceGroups/NAME/providers/Microsoft.Compute/galleries/NAME (az sig show -g GROUP -r NAME --query id -o tsv)."
  }
}

variable "gallery_source_ids" {
  description = "What gallery image versions may be made from: resource groups, or single VMs, disks and snapshots, by id. None by default, and not needed for versions made from managed images or other versions. Azure wants write on such a source, which allows more than copying it: name groups that hold nothing but machines to be captured (docs/security.md)."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.gallery_source_ids : can(regex("^/subscriptions/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/resourceGroups/[-\\w._()]{1,90}(/providers/Microsoft.Compute/(virtualMachines|disks|snapshots)/[-\\w.]{1,80})?$", id))])
    error_message = "gallery_source_ids must hold ids of resource groups, VMs, disks or snapshots."
  }

  validation {
    condition     = length(var.gallery_source_ids) == 0 || length(var.gallery_ids) > 0
    error_message = "gallery_source_ids without gallery_ids gives write on sources to no purpose: name the gallery too."
  }
}

variable "vm_events" {
  description = "Images from VMs as they are generalized. policy: tagged (VMs tagged goldmint=capture), all, or off (no Event Grid resources). gallery_image: gallery/definition of which the VMs become versions where they name no other (the default: managed images). zone_resilient: ask for zone-redundant images. copy_tags: tags of the VM that the image gets too."
  type = object({
    policy         = optional(string, "tagged")
    gallery_image  = optional(string, "")
    zone_resilient = optional(bool, false)
    copy_tags      = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["tagged", "all", "off"], var.vm_events.policy)
    error_message = "vm_events.policy must be tagged, all or off."
  }

  validation {
    condition     = var.vm_events.gallery_image == "" || can(regex("^[A-Za-z0-9][\\w.]{0,79}/[A-Za-z0-9][\\w.-]{0,79}$", var.vm_events.gallery_image))
    error_message = "vm_events.gallery_image must be the names gallery/definition."
  }

  validation {
    condition     = alltrue([for tag in var.vm_events.copy_tags : can(regex("^[^,]{1,512}$", tag))])
    error_message = "vm_events.copy_tags must be tag names without a comma."
  }
}

variable "existing_system_topic" {
  description = "Azure allows one Event Grid system topic for a subscription. Where there is one already: its id, and the identity that it delivers with: identity_id of a user-assigned one (none: its system-assigned one, which private_network needs) and its principal id."
  type = object({
    id                    = string
    identity_id           = optional(string)
    identity_principal_id = string
  })
  default = null

  validation {
    condition     = var.existing_system_topic == null || can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.EventGrid/systemTopics/[^/]+$", var.existing_system_topic.id))
    error_message = "existing_system_topic.id must be the id of a Microsoft.EventGrid/systemTopics resource."
  }

  validation {
    condition     = var.private_network == null || try(var.existing_system_topic.identity_id, null) == null
    error_message = "with private_network the existing system topic must deliver with its system-assigned identity: leave identity_id out. Event Grid gets through the firewalls with no other."
  }
}

variable "submitter_principal_ids" {
  description = "Object ids of the users, groups and pipelines that may submit build requests: Sender on the requests queue."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.submitter_principal_ids : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", id))])
    error_message = "submitter_principal_ids must be object ids (lower-case GUIDs), not names."
  }
}

variable "operator_principal_ids" {
  description = "Object ids of those that look at dead letters and send them again: Receiver and Sender on both queues. Sending to the builds queue is the power to write any build."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.operator_principal_ids : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", id))])
    error_message = "operator_principal_ids must be object ids (lower-case GUIDs), not names."
  }
}

variable "waiter_principal_ids" {
  description = "Object ids of those that wait for builds and look at their events: Receiver on the subscription history."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.waiter_principal_ids : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", id))])
    error_message = "waiter_principal_ids must be object ids (lower-case GUIDs), not names."
  }
}

variable "history_ttl" {
  description = "How long the subscription history keeps published events, P1D to P7D. A waiter sees nothing older."
  type        = string
  default     = "P7D"

  validation {
    condition     = can(regex("^P[1-7]D$", var.history_ttl))
    error_message = "history_ttl must be P1D, P2D, … P7D."
  }
}

variable "log_level" {
  description = "The handler's log level: debug, info, warn or error. The alerts need info."
  type        = string
  default     = "info"

  validation {
    condition     = contains(["debug", "info", "warn", "error"], var.log_level)
    error_message = "log_level must be debug, info, warn or error."
  }
}

variable "alert_emails" {
  description = "Where alerts go. With none the alerts still fire and show in the portal."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@\\s]+@[^@\\s]+$", address))])
    error_message = "alert_emails must be e-mail addresses."
  }
}

variable "maximum_instance_count" {
  description = "How many instances each function may run on, 1 to 1000. 1 is enough: waiting builds hold no process. Some regions refuse less than 40: set 40 there, all else works the same."
  type        = number
  default     = 1

  validation {
    condition     = var.maximum_instance_count >= 1 && var.maximum_instance_count <= 1000 && floor(var.maximum_instance_count) == var.maximum_instance_count
    error_message = "maximum_instance_count must be a whole number from 1 to 1000."
  }
}

variable "always_ready" {
  description = "Functions of which one instance never sleeps: take-request, build-image or both. Each is billed around the clock. Without them the first image after a rest waits for two starts, one after the other."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.always_ready : contains(["take-request", "build-image"], name)])
    error_message = "always_ready may name take-request and build-image."
  }

  validation {
    # Flex counts all always-ready instances against the maximum of each function.
    condition     = length(var.always_ready) <= var.maximum_instance_count
    error_message = "maximum_instance_count must be at least the number of functions in always_ready."
  }
}

variable "delete_locks" {
  description = "true: locks keep anybody from deleting the namespace (queues, topic, dead letters) and the storage account (undelivered VM events). infra/deploy.sh destroy then fails until an apply with false has removed them, and so does an apply that takes away a role on them."
  type        = bool
  default     = false
  nullable    = false
}

variable "log_analytics_workspace_id" {
  description = "An existing Log Analytics workspace for the logs, by id. Without it this module makes one."
  type        = string
  default     = null

  validation {
    condition     = var.log_analytics_workspace_id == null || can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.OperationalInsights/workspaces/[^/]+$", var.log_analytics_workspace_id))
    error_message = "log_analytics_workspace_id must be the id of a Microsoft.OperationalInsights/workspaces resource."
  }
}

variable "private_network" {
  description = "Set ({} will do) to take Service Bus and storage off the internet: private endpoints, in a VNet of this module's or in subnets that exist (function_subnet_id must be delegated to Microsoft.App/environments). private_dns_zone_ids: zones that exist, already linked to the VNet. Makes the namespace Premium. Cannot be changed in place."
  type = object({
    address_space      = optional(string, "10.42.0.0/24")
    function_subnet_id = optional(string)
    endpoint_subnet_id = optional(string)
    private_dns_zone_ids = optional(object({
      servicebus = string
      blob       = string
    }))
  })
  default = null

  validation {
    condition     = var.private_network == null || (can(cidrsubnet(var.private_network.address_space, 2, 3)) && can(regex("/(1[6-9]|2[0-4])$", var.private_network.address_space)))
    error_message = "private_network.address_space must be an IPv4 range from /16 to /24."
  }

  validation {
    condition     = var.private_network == null || try((var.private_network.function_subnet_id == null) == (var.private_network.endpoint_subnet_id == null), false)
    error_message = "private_network needs both function_subnet_id and endpoint_subnet_id, or neither."
  }

  validation {
    condition     = var.private_network == null || alltrue([for id in [try(var.private_network.function_subnet_id, null), try(var.private_network.endpoint_subnet_id, null)] : id == null || can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Network/virtualNetworks/[^/]+/subnets/[^/]+$", id))])
    error_message = "private_network's subnets must be ids of Microsoft.Network/virtualNetworks/subnets resources."
  }

  validation {
    condition     = try(var.private_network.private_dns_zone_ids, null) == null || (can(regex("(?i)/privateDnsZones/privatelink.servicebus.windows.net$", var.private_network.private_dns_zone_ids.servicebus)) && can(regex("(?i)/privateDnsZones/privatelink.blob.core.windows.net$", var.private_network.private_dns_zone_ids.blob)))
    error_message = "private_network.private_dns_zone_ids must be the ids of privatelink.servicebus.windows.net and privatelink.blob.core.windows.net."
  }
}

variable "tags" {
  description = "Tags for every resource."
  type        = map(string)
  default     = {}
  nullable    = false
}
