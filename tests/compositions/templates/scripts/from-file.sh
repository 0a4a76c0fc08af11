echo "from a file of the source"
