import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.GroupSubscription;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

/** What Kafka's assignors make of the cases on the standard input; README.md has the format. */
public final class Plans {
    private static final Node[] NODES = {
        new Node(0, "host", 9092, "r0"),
        new Node(1, "host", 9092, "r1"),
        new Node(2, "host", 9092, "r2"),
        new Node(3, "host", 9092),
    };

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, true);
        if (arguments.length == 2 && arguments[0].equals("bench")) {
            bench(arguments[1], out);
            return;
        }
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            try {
                out.println(answer(Arrays.asList(line.split(" ")).iterator()));
            } catch (Exception exception) {
                out.println("error " + exception.getClass().getSimpleName());
            }
        }
    }

    private static ConsumerPartitionAssignor assignor(String name) {
        switch (name) {
            case "range": return new RangeAssignor();
            case "roundrobin": return new RoundRobinAssignor();
            case "sticky": return new StickyAssignor();
            case "cooperative-sticky": return new CooperativeStickyAssignor();
            default: throw new IllegalArgumentException(name);
        }
    }

    private static String answer(Iterator<String> words) {
        String name = words.next();
        List<PartitionInfo> partitions = new ArrayList<>();
        for (int topics = Integer.parseInt(words.next()); topics > 0; topics--) {
            String topic = words.next();
            int count = Integer.parseInt(words.next());
            for (int partition = 0; partition < count; partition++) {
                Node[] replicas = list(words.next()).stream()
                    .map(id -> NODES[Integer.parseInt(id)]).toArray(Node[]::new);
                partitions.add(new PartitionInfo(topic, partition, null, replicas, replicas));
            }
        }
        Map<String, Subscription> subscriptions = new HashMap<>();
        for (int members = Integer.parseInt(words.next()); members > 0; members--)
            subscriptions.put(words.next(), subscription(name, words));
        Cluster cluster = new Cluster("c", Arrays.asList(NODES), partitions, Set.of(), Set.of());
        return "ok" + print(assignor(name).assign(cluster, new GroupSubscription(subscriptions)).groupAssignment());
    }

    /** What a member's own client would have sent. */
    private static Subscription subscription(String name, Iterator<String> words) {
        Optional<String> instance = optional(words.next());
        Optional<String> rack = optional(words.next());
        int generation = Integer.parseInt(words.next());
        List<String> topics = list(words.next());
        List<TopicPartition> owned = new ArrayList<>();
        for (String entry : list(words.next())) {
            int colon = entry.lastIndexOf(':');
            owned.add(new TopicPartition(entry.substring(0, colon), Integer.parseInt(entry.substring(colon + 1))));
        }
        ConsumerPartitionAssignor own = assignor(name);
        if (!owned.isEmpty() || generation >= 0)
            own.onAssignment(new Assignment(owned), new ConsumerGroupMetadata("g", generation, "m", instance));
        ByteBuffer userData = own.subscriptionUserData(new HashSet<>(topics));
        // A member under the eager protocol has given up everything before it joins.
        boolean eager = name.equals("sticky");
        Subscription subscription = new Subscription(
            topics, userData, eager ? Collections.emptyList() : owned, generation, rack);
        subscription.setGroupInstanceId(instance);
        return subscription;
    }

    private static String print(Map<String, Assignment> plan) {
        StringBuilder line = new StringBuilder();
        for (Map.Entry<String, Assignment> entry : new TreeMap<>(plan).entrySet()) {
            List<String> partitions = new ArrayList<>();
            for (TopicPartition partition : entry.getValue().partitions())
                partitions.add(partition.topic() + ":" + partition.partition());
            String text = partitions.isEmpty() ? "-" : String.join(",", partitions);
            line.append(' ').append(entry.getKey()).append('=').append(text);
        }
        return line.toString();
    }

    private static List<String> list(String word) {
        return word.equals("-") ? Collections.emptyList() : Arrays.asList(word.split(","));
    }

    private static Optional<String> optional(String word) {
        return word.equals("-") ? Optional.empty() : Optional.of(word);
    }

    /** Times one case of the benchmark: milliseconds of each of several runs, the virtual machine warm at the end. */
    private static void bench(String name, PrintStream out) {
        Bench bench = new Bench();
        switch (name) {
            case "fresh": bench.uniform(500, 2000, 2000); break;
            case "rejoin": bench.uniform(100, 1000, 100); bench.settle(); bench.join(); break;
            case "mixed": bench.mixed(2000, 100, 1000, 40); break;
            case "divergent": bench.uniform(200, 1000, 1000); bench.diverge(100); break;
            case "leave": bench.uniform(10, 1000, 1000); bench.settle(); bench.leave(); break;
            default: throw new IllegalArgumentException(name);
        }
        bench.assign();
        for (int run = 0; run < 15; run++) {
            long start = System.nanoTime();
            bench.assign();
            out.println((System.nanoTime() - start) / 1e6);
        }
    }

    private static final class Bench {
        private final List<PartitionInfo> partitions = new ArrayList<>();
        private final List<String> topics = new ArrayList<>();
        private final Map<String, Subscription> members = new HashMap<>();
        private Cluster cluster;

        void topics(int count, int each) {
            for (int topic = 0; topic < count; topic++) {
                String name = String.format("topic-%05d", topic);
                topics.add(name);
                for (int partition = 0; partition < each; partition++)
                    partitions.add(new PartitionInfo(name, partition, null, new Node[0], new Node[0]));
            }
        }

        void uniform(int count, int each, int memberCount) {
            topics(count, each);
            for (int member = 0; member < memberCount; member++)
                add(member, topics, Collections.emptyList(), -1);
        }

        void mixed(int count, int each, int memberCount, int subscribed) {
            topics(count, each);
            Random random = new Random(5);
            for (int member = 0; member < memberCount; member++) {
                Set<String> mine = new TreeSet<>();
                while (mine.size() < subscribed)
                    mine.add(topics.get(random.nextInt(topics.size())));
                add(member, new ArrayList<>(mine), Collections.emptyList(), -1);
            }
        }

        void add(int member, List<String> subscribed, List<TopicPartition> owned, int generation) {
            members.put(String.format("consumer-%05d", member),
                new Subscription(subscribed, null, owned, generation, Optional.empty()));
        }

        void settle() {
            Map<String, Assignment> plan = assign();
            for (Map.Entry<String, Assignment> entry : plan.entrySet())
                members.put(entry.getKey(),
                    new Subscription(topics, null, entry.getValue().partitions(), 1, Optional.empty()));
        }

        void join() {
            add(99999, topics, Collections.emptyList(), -1);
        }

        void leave() {
            members.remove("consumer-00500");
        }

        void diverge(int kept) {
            add(500, topics.subList(0, kept), Collections.emptyList(), -1);
        }

        Map<String, Assignment> assign() {
            if (cluster == null)
                cluster = new Cluster("c", Collections.emptyList(), partitions, Set.of(), Set.of());
            return new CooperativeStickyAssignor().assign(cluster, new GroupSubscription(members)).groupAssignment();
        }
    }
}
