# The handler on Flex Consumption, its storage, its settings.

resource "azurerm_storage_account" "main" {
  name                = "stgoldmint${local.suffix}${replace(substr(var.environment_name, 0, 8), "-", "")}"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location

  account_tier             = "Standard"
  account_replication_type = "LRS" # nothing here that cannot be deployed again, but for undelivered VM events

  shared_access_key_enabled       = false
  default_to_oauth_authentication = true
  local_user_enabled              = false
  allow_nested_items_to_be_public = false
  https_traffic_only_enabled      = true
  min_tls_version                 = "TLS1_2"
  public_network_access_enabled   = !local.private

  network_rules {
    default_action = local.private ? "Deny" : "Allow"
    bypass         = ["AzureServices"] # Event Grid's dead letters
  }

  tags = local.tags
}

resource "azurerm_storage_container" "deployment" {
  name                  = "deployment"
  storage_account_id    = azurerm_storage_account.main.id
  container_access_type = "private"
}

# The handler's state of Resource Manager's rate limits: a document for each kind of creation, subscription and region.
resource "azurerm_storage_container" "ratelimit" {
  name                  = "ratelimit"
  storage_account_id    = azurerm_storage_account.main.id
  container_access_type = "private"
}

resource "azurerm_service_plan" "main" {
  name                = "asp-${local.name}"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  os_type             = "Linux"
  sku_name            = "FC1"
  tags                = local.tags
}

resource "azurerm_function_app_flex_consumption" "main" {
  name                = "func-${local.name}-${local.suffix}"
  resource_group_name = azurerm_resource_group.main.name
  location            = azurerm_resource_group.main.location
  service_plan_id     = azurerm_service_plan.main.id

  runtime_name    = "custom"
  runtime_version = "1.0"

  # For each function. One is enough for any burst, and nothing depends on the number.
  maximum_instance_count = var.maximum_instance_count
  instance_memory_in_mb  = 512

  dynamic "always_ready" {
    for_each = var.always_ready
    content {
      name           = "function:${always_ready.value}"
      instance_count = 1
    }
  }

  storage_container_type            = "blobContainer"
  storage_container_endpoint        = "${azurerm_storage_account.main.primary_blob_endpoint}${azurerm_storage_container.deployment.name}"
  storage_authentication_type       = "UserAssignedIdentity"
  storage_user_assigned_identity_id = azurerm_user_assigned_identity.function.id

  https_only                                     = true
  webdeploy_publish_basic_authentication_enabled = false
  virtual_network_subnet_id                      = local.function_subnet_id

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.function.id]
  }

  site_config {
    application_insights_connection_string = azurerm_application_insights.main.connection_string
    minimum_tls_version                    = "1.2"
    scm_minimum_tls_version                = "1.2"
    http2_enabled                          = true
  }

  app_settings = merge(local.host_settings, local.trigger_settings, local.handler_settings)
  tags         = local.app_tags

  # The host reads its storage as it starts.
  depends_on = [azurerm_role_assignment.function_storage]
}

locals {
  client_id = azurerm_user_assigned_identity.function.client_id

  # What the Functions host reads.
  host_settings = {
    # The provider writes a key-based connection string here unless it is set; it never reads it back, so every plan shows this line.
    AzureWebJobsStorage              = ""
    AzureWebJobsStorage__accountName = azurerm_storage_account.main.name
    AzureWebJobsStorage__credential  = "managedidentity"
    AzureWebJobsStorage__clientId    = local.client_id

    APPLICATIONINSIGHTS_AUTHENTICATION_STRING = "ClientId=${local.client_id};Authorization=AAD"

    # Alerts count log lines (queries/), so sampling is off.
    AzureFunctionsJobHost__logging__applicationInsights__samplingSettings__isEnabled = "false"
  }

  # What the host's trigger and the handler's own Service Bus client both read.
  trigger_settings = {
    ServiceBusConnection__fullyQualifiedNamespace = local.service_bus_fqdn
    ServiceBusConnection__credential              = "managedidentity"
    ServiceBusConnection__clientId                = local.client_id
    REQUEST_QUEUE                                 = azurerm_servicebus_queue.requests.name
    BUILD_QUEUE                                   = azurerm_servicebus_queue.builds.name
  }

  # What the handler alone reads.
  handler_settings = {
    AZURE_CLIENT_ID         = local.client_id
    AZURE_SUBSCRIPTION_ID   = local.default_subscription_id
    EVENT_TOPIC             = azurerm_servicebus_topic.events.name
    MAX_WAIT                = "PT24H"
    VM_EVENTS               = var.vm_events.policy
    VM_GALLERY_IMAGE        = var.vm_events.gallery_image
    VM_ZONE_RESILIENT       = tostring(var.vm_events.zone_resilient)
    VM_COPY_TAGS            = join(",", var.vm_events.copy_tags)
    ALLOWED_SUBSCRIPTIONS   = join(",", distinct([for id in local.written : split("/", id)[2]]))
    ALLOWED_RESOURCE_GROUPS = join(",", distinct([for id in local.written : lower(split("/", id)[4])]))
    LOG_LEVEL               = var.log_level
  }

  service_bus_fqdn = "${azurerm_servicebus_namespace.main.name}.servicebus.windows.net"

  # Where images and gallery image versions may be written.
  written = concat(sort(var.image_resource_group_ids), sort(var.gallery_ids))

  # The subscription for requests that name none: this one, if it may hold images.
  image_subscription_ids  = distinct([for id in sort(var.image_resource_group_ids) : split("/", id)[2]])
  default_subscription_id = contains(local.image_subscription_ids, local.subscription_id) ? local.subscription_id : local.image_subscription_ids[0]
}
