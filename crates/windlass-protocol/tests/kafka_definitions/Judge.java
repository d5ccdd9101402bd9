// Lets Kafka's own classes judge: reads lines "HeartbeatRequest 4 0a0b…", parses each body in its
// version, writes it again, and prints the lines that do not come back as they were. After that it
// prints Kafka's error codes: "code NAME retriable".

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;

import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

public class Judge {
    public static void main(String[] arguments) throws Exception {
        int judged = 0;
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            String[] words = line.split(" ", -1);
            String verdict = judge(words[0], Short.parseShort(words[1]), HexFormat.of().parseHex(words[2]));
            if (verdict != null) {
                System.out.println("differs " + verdict + ": " + line);
            }
            judged++;
        }
        System.out.println("judged " + judged);
        for (Errors error : Errors.values()) {
            boolean retriable = error.exception() instanceof RetriableException;
            System.out.println("error " + error.code() + " " + error.name() + " " + retriable);
        }
    }

    private static String judge(String name, short version, byte[] body) {
        try {
            ByteBuffer input = ByteBuffer.wrap(body);
            Class<?> type = Class.forName("org.apache.kafka.common.message." + name + "Data");
            Message message = (Message) type
                .getConstructor(org.apache.kafka.common.protocol.Readable.class, short.class)
                .newInstance(new ByteBufferAccessor(input), version);
            if (input.hasRemaining()) {
                return "bytes left over";
            }
            ObjectSerializationCache cache = new ObjectSerializationCache();
            ByteBuffer output = ByteBuffer.allocate(message.size(cache, version));
            message.write(new ByteBufferAccessor(output), cache, version);
            return Arrays.equals(output.array(), body) ? null : "other bytes";
        } catch (ReflectiveOperationException | RuntimeException problem) {
            return String.valueOf(problem.getCause() == null ? problem : problem.getCause());
        }
    }
}
