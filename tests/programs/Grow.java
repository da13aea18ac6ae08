// SPDX-License-Identifier: MIT
// Grow.java - a heap that grows, shrinks and grows again; what it held must stay right

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Random;

class Grow {
	static long hugeKb() throws Exception {
		long kb = 0;
		for (String line : Files.readAllLines(Path.of("/proc/self/smaps")))
			if (line.matches("(Private|Shared)_Hugetlb:.*"))
				kb += Long.parseLong(line.replaceAll("[^0-9]", ""));
		return kb;
	}

	static long sum(ArrayList<int[]> blocks) {
		long sum = 0;
		for (int[] block : blocks)
			for (int x : block)
				sum = sum * 31 + x;
		return sum;
	}

	public static void main(String[] args) throws Exception {
		int most = Integer.parseInt(args[0]);	// MiB alive at the peak
		Random random = new Random(1);
		long total = 0, kb = 0;

		for (int wave = 0; wave < 4; wave++) {
			ArrayList<int[]> blocks = new ArrayList<>();
			for (long bytes = 0; bytes < (long) most << 20; ) {
				int[] block = new int[1 + random.nextInt(40000)];
				for (int i = 0; i < block.length; i++)
					block[i] = random.nextInt();
				blocks.add(block);
				bytes += 4L * block.length;
			}
			total += sum(blocks);
			kb = Math.max(kb, hugeKb());
			blocks = null;
			System.gc();
		}
		System.out.println("sum " + total + " huge " + kb);
	}
}
