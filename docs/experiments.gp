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

# ss-sim run growth --nodes 100000 --duration 5 --csv docs/experiments/growth.csv
set output "docs/experiments/growth.svg"
set title "One station as its audience grows (plane, 20 ms, Opus, 96 kbit/s)"
set key top left
set xlabel "listeners"
set xrange [70:150000]
set ylabel "ms; hops"
set yrange [0:200]
set y2label "times the media"
set y2range [0:4]
set ytics nomirror
set y2tics
growth = "< grep '^growth' docs/experiments/growth.csv"
plot growth using 3:6 with linespoints title "delay down the trees, median (ms)", \
     growth using 3:7 with linespoints title "the same, p99 (ms)", \
     growth using 3:4 with linespoints title "depth, mean (hops)", \
     growth using 3:10 axes x1y2 with linespoints title "upload of the broadcaster", \
     growth using 3:8 axes x1y2 with linespoints title "upload of a listener, mean"
unset y2tics
unset y2label
set ytics mirror

# ss-sim run one-death --nodes 1000 --csv docs/experiments/one-death.csv
set output "docs/experiments/one-death.svg"
set title "Each of 1,000 listeners dies, one after the other (100 ms round trips)"
unset logscale x
set key bottom right
set xlabel "s until every listener has a living way to all 16 roots"
set ylabel "share of the deaths"
set xrange [0:2.5]
set yrange [0:1.05]
plot "< grep '^repair' docs/experiments/one-death.csv" using 4:5 with steps title "measured", \
     "< printf '2,0\\n2,1.05\\n'" using 1:2 with lines dashtype 2 title "aim for 99 of 100"
set logscale x

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
