"""Creates, lists and deletes an image with azure-mgmt-compute, signed in with azure-identity.

RESOURCE_MANAGER is the local Resource Manager's https address, IDENTITY_ENDPOINT and IDENTITY_HEADER its managed identity's.
"""
import os

from azure.core.exceptions import HttpResponseError
from azure.identity import ManagedIdentityCredential
from azure.mgmt.compute import ComputeManagementClient

SUBSCRIPTION = "6b3f8f1e-52d4-4c6c-9d55-0e1f8f6f2a41"
GROUP = "golden-images"
COMPUTE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Compute"

images = ComputeManagementClient(
    ManagedIdentityCredential(),
    SUBSCRIPTION,
    base_url=os.environ["RESOURCE_MANAGER"],
    credential_scopes=["https://management.azure.com/.default"],
).images

snapshot = {"osType": "Linux", "osState": "Generalized", "snapshot": {"id": f"{COMPUTE}/snapshots/mySnapshot"}}
parameters = {"location": "westus", "properties": {"storageProfile": {"osDisk": snapshot}}}
made = images.begin_create_or_update(GROUP, "from-python", parameters, polling_interval=1).result()
print("created", made.name, made.provisioning_state, made.storage_profile.os_disk.disk_size_gb, "GB")
print("listed", *(image.name for image in images.list_by_resource_group(GROUP)))
images.begin_delete(GROUP, "from-python", polling_interval=1).result()
try:
    images.get(GROUP, "from-python")
except HttpResponseError as error:
    print("deleted", error.status_code, error.error.code)
