import java.nio.ByteBuffer;
import java.util.*;
import java.util.stream.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.*;
import org.apache.kafka.common.*;

/** Prints cases for the assignors of classic groups, and what Apache Kafka's assignors make of them. */
public class Assignors {
    private static final List<String> RACKS = List.of("a", "b", "c");
    private static final List<String> TOPICS = List.of("t", "u", "v", "w");

    public static void main(String[] arguments) {
        var random = new Random(Long.parseLong(arguments[0]));
        for (int i = 0; i < Integer.parseInt(arguments[1]); i++) {
            one(random);
        }
    }

    private static void one(Random random) {
        var nodes = new ArrayList<Node>();
        for (int id = 0; id < 4; id++) {
            nodes.add(new Node(id, "h", 1, random.nextInt(8) == 0 ? null : RACKS.get(id % 3)));
        }
        var partitions = new ArrayList<PartitionInfo>();
        int alike = 1 + random.nextInt(6);
        for (String topic : TOPICS) {
            int count = random.nextInt(3) == 0 ? random.nextInt(8) : alike;
            var line = new StringBuilder("topic " + topic);
            for (int p = 0; p < count; p++) {
                Collections.shuffle(nodes, random);
                Node[] replicas = nodes.subList(0, 1 + random.nextInt(3)).toArray(new Node[0]);
                partitions.add(new PartitionInfo(topic, p, replicas[0], replicas, replicas));
                line.append(' ').append(racks(replicas));
            }
            System.out.println(line);
        }
        var subscriptions = new TreeMap<String, Subscription>();
        boolean same = random.nextBoolean();
        for (int m = 0; m < 1 + random.nextInt(5); m++) {
            var topics = TOPICS.stream().filter(t -> same || random.nextInt(4) > 0).toList();
            String rack = random.nextInt(6) == 0 ? "" : RACKS.get(random.nextInt(3));
            var instance = random.nextInt(4) == 0 ? Optional.of("i" + (9 - m)) : Optional.<String>empty();
            var subscription = new Subscription(topics, null, List.of(), -1, Optional.of(rack));
            subscription.setGroupInstanceId(instance);
            subscriptions.put("m" + m, subscription);
            String told = rack.isEmpty() ? "-" : rack;
            String names = topics.isEmpty() ? "-" : String.join(",", topics);
            System.out.println("member m" + m + " " + instance.orElse("-") + " " + told + " " + names);
        }
        var cluster = new Cluster("c", nodes, partitions, Set.of(), Set.of());
        for (var assignor : List.of(new RangeAssignor(), new RoundRobinAssignor())) {
            print(assignor.name(), assigned(assignor, cluster, subscriptions));
        }
        var sticky = assigned(new StickyAssignor(), cluster, subscriptions);
        System.out.println("sticky " + matches(sticky, partitions, subscriptions));
        System.out.println();
    }

    private static Map<String, Assignment> assigned(
            ConsumerPartitionAssignor assignor, Cluster cluster, Map<String, Subscription> subscriptions) {
        return assignor.assign(cluster, new GroupSubscription(subscriptions)).groupAssignment();
    }

    private static String racks(Node[] replicas) {
        var told = Arrays.stream(replicas).filter(Node::hasRack).map(Node::rack);
        var racks = told.collect(Collectors.toCollection(TreeSet::new));
        return racks.isEmpty() ? "-" : String.join("+", racks);
    }

    private static void print(String assignor, Map<String, Assignment> shares) {
        for (var share : new TreeMap<>(shares).entrySet()) {
            var partitions = share.getValue().partitions().stream();
            var names = partitions.map(p -> p.topic() + p.partition()).sorted().toList();
            String all = names.isEmpty() ? "-" : String.join(",", names);
            System.out.println(assignor + " " + share.getKey() + " " + all);
        }
    }

    private static long matches(
            Map<String, Assignment> shares, List<PartitionInfo> partitions,
            Map<String, Subscription> subscriptions) {
        long matches = 0;
        for (var share : shares.entrySet()) {
            String rack = subscriptions.get(share.getKey()).rackId().orElse("");
            for (var tp : share.getValue().partitions()) {
                var info = partitions.stream()
                    .filter(p -> p.topic().equals(tp.topic()) && p.partition() == tp.partition());
                var near = info.filter(p -> Arrays.stream(p.replicas()).anyMatch(n -> rack.equals(n.rack())));
                matches += near.count();
            }
        }
        return matches;
    }
}
