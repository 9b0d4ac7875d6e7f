terraform {
  required_version = ">= 1.11"
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
  }
}

variable "resource_manager" {
  description = "host and port of the local Resource Manager, which it asks for over https"
  type        = string
}

variable "identity" {
  description = "the token endpoint of the local managed identity, as a VM has it"
  type        = string
}

provider "azurerm" {
  features {}
  metadata_host                   = var.resource_manager
  subscription_id                 = local.subscription
  use_cli                         = false
  use_msi                         = true
  msi_endpoint                    = var.identity
  resource_provider_registrations = "none"
}

locals {
  subscription = "6b3f8f1e-52d4-4c6c-9d55-0e1f8f6f2a41"
  compute      = "/subscriptions/${local.subscription}/resourceGroups/golden-images/providers/Microsoft.Compute"
}

# The sources are those of examples/requests.
resource "azurerm_image" "from_vm" {
  name                      = "terraform-from-vm"
  resource_group_name       = "golden-images"
  location                  = "westus"
  source_virtual_machine_id = "${local.compute}/virtualMachines/myVM"
  tags                      = { client = "terraform" }
}

resource "azurerm_image" "from_disk" {
  name                = "terraform-from-disk"
  resource_group_name = "golden-images"
  location            = "westus"
  os_disk {
    os_type         = "Linux"
    os_state        = "Generalized"
    storage_type    = "StandardSSD_LRS"
    managed_disk_id = "${local.compute}/disks/myManagedDisk"
  }
  data_disk {
    lun             = 1
    storage_type    = "Standard_LRS"
    managed_disk_id = "${local.compute}/disks/myManagedDisk2"
  }
}

resource "azurerm_image" "from_blob" {
  name                = "terraform-from-blob"
  resource_group_name = "golden-images"
  location            = "westus2"
  hyper_v_generation  = "V1"
  zone_resilient      = true
  os_disk {
    os_type      = "Linux"
    os_state     = "Generalized"
    storage_type = "Standard_LRS"
    blob_uri     = "https://mystoragewestus2.blob.core.windows.net/osimages/osimage.vhd"
  }
}
