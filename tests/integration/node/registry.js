// kafkajs's package for schema registries: registers, writes and reads Avro, JSON and Protobuf. Exits 0 when all held.
import assert from "node:assert/strict";
import registries from "@kafkajs/confluent-schema-registry";

const { SchemaRegistry, SchemaType } = registries;
const registry = new SchemaRegistry({ host: process.argv[2] }, { [SchemaType.PROTOBUF]: { messageName: "Order" } });
const name = `node-${process.hrtime.bigint()}`;
const record = (...fields) => JSON.stringify({ type: "record", name: "Order", namespace: "ns", fields });
const id = { name: "id", type: "int" };
const note = { name: "note", type: "string", default: "" };

const avro = await registry.register({ type: SchemaType.AVRO, schema: record(id) }, { subject: `${name}-avro` });
assert.equal(await registry.getLatestSchemaId(`${name}-avro`), avro.id);
assert.equal(await registry.getRegistryIdBySchema(`${name}-avro`, { type: SchemaType.AVRO, schema: record(id) }), avro.id);
const evolved = await registry.register({ type: SchemaType.AVRO, schema: record(id, note) }, { subject: `${name}-avro` });
const written = await registry.encode(evolved.id, { id: 7, note: "x" });
assert.equal(written.readInt32BE(1), evolved.id);
const fresh = new SchemaRegistry({ host: process.argv[2] });
const read = await fresh.decode(written);
assert.deepEqual({ ...read }, { id: 7, note: "x" });
await assert.rejects(
  registry.register({ type: SchemaType.AVRO, schema: record(id, { name: "n", type: "string" }) }, { subject: `${name}-avro` }),
  /incompatible/,
);

const properties = { id: { type: "integer" }, note: { type: "string" } };
const json = { type: SchemaType.JSON, schema: JSON.stringify({ type: "object", properties, required: ["id"] }) };
const object = await registry.register(json, { subject: `${name}-json` });
assert.deepEqual(await registry.decode(await registry.encode(object.id, { id: 7 })), { id: 7 });
await assert.rejects(registry.encode(object.id, { note: "x" }));

const schema = 'syntax = "proto3"; package ns; message Order { int32 id = 1; string note = 2; }';
const message = await registry.register({ type: SchemaType.PROTOBUF, schema }, { subject: `${name}-proto` });
const decoded = await registry.decode(await registry.encode(message.id, { id: 7, note: "x" }));
assert.deepEqual({ id: decoded.id, note: decoded.note }, { id: 7, note: "x" });
console.log("all held");
