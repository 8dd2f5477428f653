// kafkajs against a cluster: produce, consume, admin. Exits 0 when all held.
import assert from "node:assert/strict";
import kafkajs from "kafkajs";

const { Kafka, CompressionTypes, logLevel, Partitioners } = kafkajs;
const kafka = new Kafka({ clientId: "tests", brokers: [process.argv[2]], logLevel: logLevel.ERROR });
const COUNT = 500;

async function codec(admin, compression, name) {
  const topic = `kafkajs-${name}-${process.hrtime.bigint()}`;
  await admin.createTopics({ topics: [{ topic, numPartitions: 2 }], waitForLeaders: true });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  const messages = Array.from({ length: COUNT }, (_, i) => ({
    key: `key-${i}`, value: `value-${i}`, partition: i % 2, headers: { n: `${i}` },
  }));
  const sent = await producer.send({ topic, messages, compression, acks: -1 });
  assert.deepEqual(sent.map((one) => one.errorCode), [0, 0]);
  await producer.disconnect();
  const offsets = await admin.fetchTopicOffsets(topic);
  assert.deepEqual(offsets.map((one) => one.high), [`${COUNT / 2}`, `${COUNT / 2}`]);
  assert.deepEqual(offsets.map((one) => one.low), ["0", "0"]);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "10" }] });
  const after = await admin.fetchTopicOffsets(topic);
  assert.equal(after.find((one) => one.partition === 0).low, "10");
  await admin.deleteTopics({ topics: [topic] });
}

// A group reads all there is and commits; who comes after it goes on from there.
async function group(admin) {
  const topic = `kafkajs-group-${process.hrtime.bigint()}`;
  await admin.createTopics({ topics: [{ topic, numPartitions: 2 }], waitForLeaders: true });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  const send = (from, to) => producer.send({
    topic, messages: Array.from({ length: to - from }, (_, i) => ({ value: `${from + i}`, partition: i % 2 })),
  });
  const read = async (count) => {
    const consumer = kafka.consumer({ groupId: topic });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const values = [];
    await new Promise((resolve, reject) => {
      consumer.on(consumer.events.CRASH, (event) => reject(event.payload.error));
      consumer.run({ eachMessage: async ({ message }) => { if (values.push(Number(message.value)) === count) resolve(); } });
    });
    await consumer.disconnect();
    return values.sort((a, b) => a - b);
  };
  await send(0, 100);
  assert.deepEqual(await read(100), Array.from({ length: 100 }, (_, i) => i));
  await send(100, 104);
  assert.deepEqual(await read(4), [100, 101, 102, 103]);
  const [described] = (await admin.describeGroups([topic])).groups;
  assert.deepEqual([described.state, described.protocolType, described.errorCode], ["Empty", "consumer", 0]);
  const offsets = await admin.fetchOffsets({ groupId: topic, topics: [topic] });
  assert.deepEqual(offsets[0].partitions.map((one) => one.offset), ["52", "52"]);
  await admin.deleteGroups([topic]);
  assert.ok(!(await admin.listGroups()).groups.some((one) => one.groupId === topic));
  await producer.disconnect();
}

const admin = kafka.admin();
await admin.connect();
await group(admin);
await codec(admin, CompressionTypes.None, "none");
await codec(admin, CompressionTypes.GZIP, "gzip");
const cluster = await admin.describeCluster();
assert.equal(cluster.brokers.length, 1);
const topic = `kafkajs-configs-${process.hrtime.bigint()}`;
await admin.createTopics({ topics: [{ topic, configEntries: [{ name: "retention.ms", value: "5000" }] }] });
const described = await admin.describeConfigs({ resources: [{ type: 2, name: topic }] });
const entry = described.resources[0].configEntries.find((one) => one.configName === "retention.ms");
assert.equal(entry.configValue, "5000");
await admin.disconnect();
console.log("all held");
