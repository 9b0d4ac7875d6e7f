// Creates, reads, tags, lists and deletes images with @azure/arm-compute, and signs in with @azure/identity.
import assert from "node:assert/strict";
import { ComputeManagementClient } from "@azure/arm-compute";
import { ManagedIdentityCredential } from "@azure/identity";

const group = "golden-images";
const subscription = "6b3f8f1e-52d4-4c6c-9d55-0e1f8f6f2a41";
const compute = `/subscriptions/${subscription}/resourceGroups/${group}/providers/Microsoft.Compute`;
const { images } = new ComputeManagementClient(new ManagedIdentityCredential(), subscription, {
  endpoint: process.env.RESOURCE_MANAGER,
});

const sources = {
  "javascript-from-vm": { sourceVirtualMachine: { id: `${compute}/virtualMachines/myVM` } },
  "javascript-from-snapshot": {
    storageProfile: { osDisk: { osType: "Linux", osState: "Generalized", snapshot: { id: `${compute}/snapshots/mySnapshot` } } },
  },
  "javascript-from-blob": {
    hyperVGeneration: "V1",
    storageProfile: {
      osDisk: { osType: "Linux", osState: "Generalized", blobUri: "https://mystorageaccount.blob.core.windows.net/osimages/osimage.vhd" },
    },
  },
};

for (const [name, properties] of Object.entries(sources)) {
  const began = Date.now();
  const made = await images.createOrUpdate(group, name, { location: "westus", ...properties });
  assert.equal(made.provisioningState, "Succeeded");
  console.log(`created ${name} in ${((Date.now() - began) / 1000).toFixed(1)} s`);
}
const tagged = await images.update(group, "javascript-from-vm", { tags: { client: "javascript" } });
assert.equal(tagged.tags.client, "javascript");
const names = [];
for await (const image of images.listByResourceGroup(group)) names.push(image.name);
console.log("listed", names.join(" "));
for (const name of Object.keys(sources)) {
  assert.ok(names.includes(name));
  await images.delete(group, name);
  await assert.rejects(images.get(group, name), { statusCode: 404 });
  console.log(`deleted ${name}`);
}
await assert.rejects(
  images.createOrUpdate(group, "javascript-refused", { location: "westus", sourceVirtualMachine: { id: `${compute}/virtualMachines/nobody` } }),
  { statusCode: 404, code: "NotFound" },
);
console.log("refused an image of a VM that is not there");
