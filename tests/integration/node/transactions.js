// Transactions of kafkajs: commit, abort, and offsets in a transaction. Exits 0 when all held.
import assert from "node:assert/strict";
import kafkajs from "kafkajs";

const { Kafka, logLevel, Partitioners } = kafkajs;
const kafka = new Kafka({ clientId: "tests", brokers: [process.argv[2]], logLevel: logLevel.ERROR });
const topic = `kafkajs-transactions-${process.hrtime.bigint()}`;
const groupId = `${topic}-group`;

const admin = kafka.admin();
await admin.connect();
await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
const producer = kafka.producer({
  createPartitioner: Partitioners.DefaultPartitioner, transactionalId: topic, idempotent: true, maxInFlightRequests: 1,
});
await producer.connect();
const expected = [];
for (let number = 0; number < 6; number += 1) {
  const transaction = await producer.transaction();
  const values = [`${number}-a`, `${number}-b`];
  await transaction.send({ topic, messages: values.map((value) => ({ value, partition: 0 })) });
  await transaction.sendOffsets({
    consumerGroupId: groupId, topics: [{ topic, partitions: [{ partition: 0, offset: `${number + 1}` }] }],
  });
  if (number % 2 === 0) {
    await transaction.commit();
    expected.push(...values);
  } else {
    await transaction.abort();
  }
}
await producer.disconnect();
const [offsets] = await admin.fetchOffsets({ groupId, topics: [topic] });
assert.equal(offsets.partitions[0].offset, "5");

const consumer = kafka.consumer({ groupId: `${topic}-reader`, readUncommitted: false });
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
const seen = await new Promise((resolve, reject) => {
  const values = [];
  setTimeout(() => reject(new Error(`only ${values} in 60 s`)), 60_000).unref();
  consumer.run({
    eachMessage: async ({ message }) => {
      values.push(message.value.toString());
      if (values.length === expected.length) resolve(values);
    },
  }).catch(reject);
});
assert.deepEqual(seen, expected);
await consumer.disconnect();
await admin.disconnect();
console.log("all held");
