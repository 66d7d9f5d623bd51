# Plots of ss-sim paper's tables: ./run experiments
set datafile separator ","
set terminal svg size 640,420 font "sans,12" background "white"
set key bottom right
set grid
set logscale x

rows(table, what) = sprintf("< grep -E '^pastry,%s,.*: %s' docs/experiments/pastry.csv", table, what)

set xlabel "nodes"
set xrange [500:200000]

set output "docs/experiments/hops.svg"
set title "Hops of a lookup (b = 4, L = 16)"
set ylabel "mean hops"
set yrange [2:4.5]
plot rows("routes", "hops\"") using 4:6:7:8 with yerrorlines title "measured", \
     rows("routes", "hops\"") using 4:9 with linespoints title "perfect tables", \
     "< echo 100000,3.98" using 1:2 with points pt 7 title "paper"

set output "docs/experiments/stretch.svg"
set title "Distance travelled over the direct one (plane, b = 4, L = 16)"
set ylabel "ratio of sums"
set yrange [1:*]
plot rows("routes", "distance over direct\"") using 4:6:7:8 with yerrorlines title "measured", \
     rows("routes", "distance over direct\"") using 4:9 with linespoints title "perfect tables", \
     "< printf '1000,1.33\\n4000,1.30\\n10000,1.345\\n100000,1.335\\n'" \
       using 1:2 with points pt 7 title "paper (read off its plot)"

scribe(table, what) = sprintf("< grep -E '^scribe,%s,.*: %s' docs/experiments/scribe.csv", table, what)

set output "docs/experiments/groups.svg"
set title "1,500 groups (transit-stub): delay and link stress"
set ylabel "ratio to IP multicast; messages a link"
set yrange [0:*]
plot scribe("groups", "mean delay over IP.s\"") using 4:6:7:8 with yerrorlines title "mean delay, median group", \
     scribe("groups", "longest delay over IP.s\"") using 4:6:7:8 with yerrorlines title "longest delay, median group", \
     scribe("groups", "link stress\"") using 4:6:7:8 with yerrorlines title "link stress", \
     scribe("groups", "link stress, IP\"") using 4:6:7:8 with yerrorlines title "link stress, IP", \
     "< echo 100000,1.7" using 1:2 with points pt 7 title "paper, delay", \
     "< echo 100000,2.4" using 1:2 with points pt 9 title "paper, link stress"

# tests/netns/icecast.py
set output "docs/experiments/icecast.svg"
set title "What leaves the source's side (Opus, 128 kbit/s)"
set key top left
set xlabel "listeners"
set ylabel "times the stream"
set xrange [0.8:60]
set yrange [0.8:60]
set logscale y
cast(system) = sprintf("< grep '^%s,' docs/experiments/icecast.csv", system)
plot cast("icecast") using 2:3 with linespoints title "Icecast", \
     cast("splitstream") using 2:3 with linespoints title "ss-broadcast"
