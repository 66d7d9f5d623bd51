# Plots of ss-sim paper's tables: ./run experiments
set datafile separator ","
set terminal svg size 640,420 font "sans,12" background "white"
set key bottom right
set grid
set logscale x

rows(table, what) = sprintf("< grep -E '^pastry,%s,.*%s' docs/experiments/pastry.csv", table, what)

set xlabel "nodes"
set xrange [500:200000]

set output "docs/experiments/hops.svg"
set title "Hops of a lookup (b = 4, L = 16)"
set ylabel "mean hops"
set yrange [2:4.5]
plot rows("hops", "hops\"") using 4:6:7:8 with yerrorlines title "measured", \
     rows("hops", "hops\"") using 4:9 with linespoints title "perfect tables", \
     "< echo 100000,3.98" using 1:2 with points pt 7 title "paper"

set output "docs/experiments/stretch.svg"
set title "Distance travelled over the direct one (plane, b = 4, L = 16)"
set ylabel "ratio of sums"
set yrange [1:*]
plot rows("stretch", "") using 4:6:7:8 with yerrorlines title "measured", \
     rows("stretch", "") using 4:9 with linespoints title "perfect tables", \
     "< printf '1000,1.33\\n4000,1.30\\n10000,1.345\\n100000,1.335\\n'" \
       using 1:2 with points pt 7 title "paper (read off its plot)"

unset logscale x
set output "docs/experiments/failure.svg"
set title "A tenth of 5,000 nodes fails: hops to the first of 5 replicas"
set xlabel ""
set ylabel "mean hops"
set xrange [-0.6:2.6]
set yrange [2:3.5]
set xtics ("healthy" 0, "broken" 1, "repaired" 2)
set boxwidth 0.3
set style fill solid 0.5
set key top right
plot rows("failure", "first of 5") using ($0-0.17):6 with boxes title "measured", \
     rows("failure", "first of 5") using ($0+0.17):5 with boxes title "paper"
